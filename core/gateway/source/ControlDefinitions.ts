// The gateway's kinds as our own API server serves them: those of its CustomResourceDefinitions, with the checks that a foreign API
// server cannot make for us before anything is stored.
// Owns these checks (all of a manifest's rules, and clashes of host names with other clusters) and what KubeGateway's API server allows:
// updates without a resource version, and such that create.
import {
  customDefinitions,
  type Definition,
  type Draft,
  fieldsOf,
  type StrategyContext,
  textOf,
  textsOf
} from "#apiserver"
import { type ApiFailure, Failures, type KubeObject } from "#kube"
import { decodeCluster, type DecodedCluster } from "../decode/DecodeCluster.ts"
import { noFeatures } from "../decode/DecodeFeatures.ts"
import { GATEWAY_GROUP, gatewayCrds, upstreamClusters } from "../schema/GatewayCrds.ts"

const read = (object: KubeObject): DecodedCluster =>
  decodeCluster(object, { secrets: () => undefined, features: noFeatures })

const DEFAULT = "(default)"
const KIND = { group: GATEWAY_GROUP, kind: "UpstreamCluster" }

/** Hosts of a manifest, and the default host's sign, without a look at anything else in it. */
const hostsOf = (object: KubeObject): ReadonlySet<string> => {
  const serving = fieldsOf(fieldsOf(object.spec)["secureServing"])
  const names = [object.metadata.name ?? "", ...textsOf(serving["serverNames"]).map(textOf)]
  return new Set([...names.map((name) => name.toLowerCase()), ...(serving["defaultHost"] === true ? [DEFAULT] : [])])
}

/** Another cluster that has one of the hosts. */
const clashOf = (object: KubeObject, { api }: StrategyContext): ApiFailure | undefined => {
  const wanted = hostsOf(object)
  for (const other of api.view(GATEWAY_GROUP, upstreamClusters.resource).list("")) {
    if (other.metadata.name === object.metadata.name) continue
    for (const host of hostsOf(other)) {
      if (!wanted.has(host)) continue
      const detail = `belongs to the UpstreamCluster ${other.metadata.name ?? ""}`
      const field = host === DEFAULT ? "spec.secureServing.defaultHost" : "spec.secureServing.serverNames"
      return Failures.invalid(KIND, object.metadata.name ?? "", [
        { type: "FieldValueDuplicate", field, value: host, detail }
      ])
    }
  }
  return undefined
}

// SAFETY: a draft is an object that is being made.
const asObject = (draft: Draft): KubeObject => draft

const withChecks = (definition: Definition): Definition => {
  const { strategy } = definition
  const isCluster = definition.resource === upstreamClusters.resource
  return {
    ...definition,
    strategy: {
      ...strategy,
      unconditionalUpdate: true,
      createOnUpdate: true,
      ...(isCluster
        ? {
            prepareForCreate: (draft, context) =>
              strategy.prepareForCreate?.(draft, context) ?? clashOf(asObject(draft), context),
            prepareForUpdate: (draft, old, context) =>
              strategy.prepareForUpdate?.(draft, old, context) ?? clashOf(asObject(draft), context),
            validate: (object) => read(object).findings.problems,
            warnings: (object) => read(object).findings.warnings
          }
        : {})
    }
  }
}

/** Definitions for the gateway's own control plane. */
export const controlDefinitions = (): ReadonlyArray<Definition> =>
  gatewayCrds.flatMap(customDefinitions).map(withChecks)
