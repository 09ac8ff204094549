// An UpstreamCluster's manifest as the data path takes it, or what is wrong with it.
// Owns the order of parts and what each depends on; refuses other clusters (clashes) and where manifests and secrets come from.
import { customDefinitions, type Fields, fieldsOf, textOf } from "#apiserver"
import { type Json, type JsonObject, type KubeObject, unknownFields } from "#kube"
import type { FeatureGates, UpstreamCluster } from "../config/UpstreamCluster.ts"
import { gatewayCrds } from "../schema/GatewayCrds.ts"
import { decodeAuthentication } from "./DecodeAuthentication.ts"
import { decodeClientConfig } from "./DecodeClientConfig.ts"
import { decodeFeatures, FEATURE_GATES } from "./DecodeFeatures.ts"
import { decodeFlowControls } from "./DecodeFlowControl.ts"
import { type Findings, noFindings, orNull, PartMemory } from "./Decoding.ts"
import { decodePolicies } from "./DecodePolicies.ts"
import { decodeServers } from "./DecodeServers.ts"
import { decodeHosts, decodeServing } from "./DecodeServing.ts"
import { decodeBalancing, decodeHealthCheck, decodeRetry, decodeTimeouts } from "./DecodeTraffic.ts"
import { type SecretLookup, type SecretPlace, secretInput, secretRefOf } from "./SecretRefs.ts"

/** What a manifest is read with. */
export interface DecodeContext {
  readonly secrets: SecretLookup
  readonly features: FeatureGates
}

/** A manifest that was read. */
export interface DecodedCluster {
  /** Undefined when there are problems, or something is unresolved. */
  readonly cluster: UpstreamCluster | undefined
  readonly findings: Findings
  readonly secretRefs: ReadonlyArray<SecretPlace>
  /** For the next reading of the same cluster. */
  readonly memory: PartMemory
}

const [definition] = gatewayCrds.flatMap(customDefinitions)

// SAFETY: objects are JSON values; KubeObject leaves the types of their other fields open.
const asJson = (object: KubeObject): JsonObject => object as unknown as JsonObject

/** What is wrong with the shape of a manifest, and the fields that are none. */
const shapeFindings = (object: KubeObject): Findings => {
  const findings = noFindings()
  if (definition === undefined) return findings
  findings.problems.push(...(definition.strategy.validate?.(object) ?? []))
  findings.warnings.push(
    ...unknownFields(definition.schema, asJson(object)).map((path) => `unknown field ${JSON.stringify(path)}`)
  )
  return findings
}

interface Parts {
  readonly name: string
  readonly spec: Fields
  readonly context: DecodeContext
  readonly memory: PartMemory
}

const accessParts = ({ context, memory, name, spec }: Parts) => {
  const endpoints = memory.part("servers", orNull(spec["servers"]), (findings) => decodeServers(spec, findings))
  const config = fieldsOf(spec["clientConfig"])
  const serving = fieldsOf(spec["secureServing"])
  const clientSecret = secretInput(secretRefOf(config), context.secrets)
  const servingSecret = secretInput(secretRefOf(serving), context.secrets)
  const secure = endpoints.some((endpoint) => endpoint.secure)
  const input = { config, secret: clientSecret, cluster: name, secure }
  return {
    endpoints,
    client: memory.part("client", input, (findings) => decodeClientConfig(input, findings)),
    serving: memory.part("serving", [serving, servingSecret], (findings) =>
      decodeServing(serving, servingSecret, findings)
    ),
    hosts: memory.part("hosts", [name, orNull(serving["serverNames"])], (findings) =>
      decodeHosts(name, serving, findings)
    ),
    authentication: memory.part("authentication", orNull(spec["authentication"]), (findings) =>
      decodeAuthentication(fieldsOf(spec["authentication"]), findings)
    )
  }
}

const trafficParts = ({ memory, spec }: Parts) => {
  const part = <A>(name: string, decode: (fields: Fields, findings: Findings) => A): A =>
    memory.part(name, orNull(spec[name]), (findings) => decode(fieldsOf(spec[name]), findings))
  return {
    health: part("healthCheck", decodeHealthCheck),
    balancing: part("balancing", decodeBalancing),
    timeouts: part("timeouts", decodeTimeouts),
    retry: part("retry", decodeRetry),
    flowControls: decodeFlowControls(fieldsOf(spec["flowControl"]), memory)
  }
}

const clusterOf = (object: KubeObject, parts: Parts): UpstreamCluster => {
  const { context, memory, name, spec } = parts
  const access = accessParts(parts)
  const traffic = trafficParts(parts)
  const endpoints = access.endpoints.map(({ url }) => url)
  const controls = [...traffic.flowControls.keys()]
  const logging = textOf(fieldsOf(spec["logging"])["mode"])
  const input: Json = [
    orNull(spec["dispatchPolicies"]),
    orNull(spec["defaultDispatchPolicy"]),
    endpoints,
    controls,
    logging
  ]
  const targets = { endpoints: new Set(endpoints), flowControls: new Set(controls), logging }
  const annotation = object.metadata.annotations?.[FEATURE_GATES] ?? ""
  return {
    name,
    uid: object.metadata.uid ?? "",
    generation: object.metadata.generation ?? 0,
    isDefault: fieldsOf(spec["secureServing"])["defaultHost"] === true,
    ...access,
    ...traffic,
    ...memory.part("policies", input, (findings) => decodePolicies(spec, targets, findings)),
    features: memory.part("features", [annotation, { ...context.features }], (findings) =>
      decodeFeatures(annotation, context.features, findings)
    )
  }
}

/** Reads a manifest; `last` is what was made of the same cluster before. */
export const decodeCluster = (object: KubeObject, context: DecodeContext, last?: PartMemory): DecodedCluster => {
  const spec = fieldsOf(object.spec)
  const memory = new PartMemory(last)
  const shape = shapeFindings(object)
  const { findings } = memory
  findings.warnings.push(...shape.warnings)
  const secretRefs = [secretRefOf(fieldsOf(spec["clientConfig"])), secretRefOf(fieldsOf(spec["secureServing"]))].filter(
    (place): place is SecretPlace => place !== undefined
  )
  if (shape.problems.length > 0) {
    findings.problems.push(...shape.problems)
    return { cluster: undefined, findings, secretRefs, memory }
  }
  const name = (object.metadata.name ?? "").toLowerCase()
  const cluster = clusterOf(object, { name, spec, context, memory })
  const good = findings.problems.length === 0 && findings.unresolved.length === 0
  return { cluster: good ? cluster : undefined, findings, secretRefs, memory }
}
