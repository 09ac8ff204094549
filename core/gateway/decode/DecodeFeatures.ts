// The feature gates of a cluster, from its annotation and the gateway's defaults.
// Owns the annotation's text; a gate that is left out is what the default says, whatever it was before.
import { invalid } from "#apiserver"
import type { FeatureGates } from "../config/UpstreamCluster.ts"
import type { Findings } from "./Decoding.ts"

/** Where a cluster's gates stand. */
export const FEATURE_GATES = "proxy.kubegateway.io/feature-gates"

export const noFeatures: FeatureGates = {
  CloseConnectionWhenIdle: false,
  DenyAllRequests: false,
  GlobalRateLimiter: false,
  Tracing: false
}

const isGate = (name: string): name is keyof FeatureGates => Object.hasOwn(noFeatures, name)

/** Reads "A=true,B=false" over defaults; answers what is wrong with the text instead where something is. */
export const parseFeatureGates = (text: string, defaults: FeatureGates): FeatureGates | string => {
  const gates: { -readonly [Gate in keyof FeatureGates]: boolean } = { ...defaults }
  for (const item of text.split(",").map((one) => one.trim())) {
    if (item === "") continue
    const [name = "", value = "", ...rest] = item.split("=").map((one) => one.trim())
    if (!isGate(name))
      return `there is no feature gate ${JSON.stringify(name)}; there are ${Object.keys(noFeatures).join(", ")}`
    if (rest.length > 0 || !/^(true|false)$/i.test(value)) return `${name} must be true or false`
    gates[name] = value.toLowerCase() === "true"
  }
  return gates
}

/** The gates of a cluster. */
export const decodeFeatures = (annotation: string, defaults: FeatureGates, { problems }: Findings): FeatureGates => {
  const gates = parseFeatureGates(annotation, defaults)
  if (typeof gates !== "string") return gates
  problems.push(invalid(`metadata.annotations[${FEATURE_GATES}]`, annotation, gates))
  return defaults
}
