// The federation's kinds as our own API server serves them: those of its CustomResourceDefinitions, with the checks that a foreign API
// server cannot make for us before anything is stored.
// Owns these checks' place; refuses the rules, which those who read the objects have.
import { customDefinitions, type Definition } from "#apiserver"
import type { FieldProblem, KubeObject } from "#kube"
import { overrideProblems } from "../overrides/OverrideChecks.ts"
import { propagationPolicyOf } from "./PropagationPolicy.ts"
import { federationCrds } from "./schema/FederationCrds.ts"
import { pluginWebhookOf, schedulingProfileOf } from "./SchedulingProfile.ts"
import { taintProblems } from "./Taints.ts"

type Check = (object: KubeObject) => ReadonlyArray<FieldProblem>

const propagation: Check = (object) => propagationPolicyOf(object).problems

const checks: Readonly<Record<string, Check | undefined>> = {
  federatedclusters: taintProblems,
  propagationpolicies: propagation,
  clusterpropagationpolicies: propagation,
  overridepolicies: overrideProblems,
  clusteroverridepolicies: overrideProblems,
  schedulingprofiles: (object) => schedulingProfileOf(object).problems,
  schedulerpluginwebhookconfigurations: (object) => pluginWebhookOf(object).problems
}

const withChecks = (definition: Definition): Definition => {
  const check = checks[definition.resource]
  if (check === undefined) return definition
  const { strategy } = definition
  return {
    ...definition,
    strategy: {
      ...strategy,
      validate: (object) => {
        const found = strategy.validate?.(object) ?? []
        // What has not the shape of the kind is not read any further.
        return found.length > 0 ? found : check(object)
      }
    }
  }
}

/** Definitions for a host of our own. */
export const federationDefinitions = (): ReadonlyArray<Definition> =>
  federationCrds.flatMap(customDefinitions).map(withChecks)
