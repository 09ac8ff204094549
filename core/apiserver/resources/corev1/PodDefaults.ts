// What a pod or a pod template gets when its author says nothing, beyond what the schema carries.
// Owns these defaults; refuses to check anything. Source: kubernetes pkg/apis/core/v1/defaults.go.
import type { JsonObject } from "#kube"
import type { Draft } from "../../Definition.ts"
import {
  defaulted,
  type Fields,
  fieldsIn,
  fieldsOf,
  itemsOf,
  textOf,
  withField,
  withItems,
  withPart,
  zeroDefaulted
} from "../Fields.ts"

const POD_SPEC_WORDS: Fields = Object.freeze({
  restartPolicy: "Always",
  dnsPolicy: "ClusterFirst",
  schedulerName: "default-scheduler"
})

// A grace of 0 seconds is a wish, not an absence.
const POD_SPEC: Fields = Object.freeze({ terminationGracePeriodSeconds: 30, securityContext: Object.freeze({}) })

const PROBE: Fields = Object.freeze({ timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 })

const HTTP_GET: Fields = Object.freeze({ path: "/", scheme: "HTTP" })

const TERMINATION: Fields = Object.freeze({
  terminationMessagePath: "/dev/termination-log",
  terminationMessagePolicy: "File"
})

const EMPTY_DIR: Fields = Object.freeze({})

const withModes: ReadonlyArray<string> = ["secret", "configMap", "downwardAPI", "projected"]

/** Sources of volumes that are a pointer each: a volume without any becomes an emptyDir. */
const isSourced = (volume: Fields): boolean => {
  for (const name in volume) if (name !== "name" && fieldsIn(volume[name]) !== undefined) return true
  return false
}

/** The tag that an image reference ends with: "latest" when it has neither tag nor digest. */
const isLatest = (image: string): boolean => {
  if (image.includes("@")) return false
  const tagAt = image.lastIndexOf(":")
  return tagAt <= image.lastIndexOf("/") || image.slice(tagAt + 1) === "latest"
}

/** A name that no registry could have has no tag, not even the one that is meant without one. */
const REFERENCE =
  /^(?:[A-Za-z0-9.-]+(?::\d+)?\/)?[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*(?::[\w][\w.-]*)?(?:@[A-Za-z0-9+._-]+:[0-9a-fA-F]+)?$/

const pullPolicyOf = (image: string): string => (isLatest(image) && REFERENCE.test(image) ? "Always" : "IfNotPresent")

const withFieldRef = (part: Fields): Fields =>
  withPart(part, "fieldRef", (fieldRef) => zeroDefaulted(fieldRef, { apiVersion: "v1" }))

const projection = (source: Fields): Fields => {
  const tokenDone = withPart(source, "serviceAccountToken", (token) => defaulted(token, { expirationSeconds: 3600 }))
  return withPart(tokenDone, "downwardAPI", (downward) => withItems(downward, "items", withFieldRef))
}

const volumeDefaults = (volume: Fields): Fields => {
  if (!isSourced(volume)) return { ...volume, emptyDir: EMPTY_DIR }
  let done = volume
  for (const name of withModes) {
    if (volume[name] !== undefined) done = withPart(done, name, (source) => defaulted(source, { defaultMode: 420 }))
  }
  if (done["downwardAPI"] !== undefined) {
    done = withPart(done, "downwardAPI", (source) => withItems(source, "items", withFieldRef))
  }
  if (done["projected"] !== undefined) {
    done = withPart(done, "projected", (source) => withItems(source, "sources", projection))
  }
  if (done["hostPath"] !== undefined) done = withPart(done, "hostPath", (source) => defaulted(source, { type: "" }))
  if (done["image"] !== undefined) {
    done = withPart(done, "image", (image) =>
      zeroDefaulted(image, { pullPolicy: pullPolicyOf(textOf(image["reference"])) })
    )
  }
  return withPart(done, "ephemeral", (ephemeral) =>
    withPart(ephemeral, "volumeClaimTemplate", (template) =>
      withPart(template, "spec", (spec) => defaulted(spec, { volumeMode: "Filesystem" }))
    )
  )
}

const withHttpGet = (handler: Fields): Fields =>
  withPart(handler, "httpGet", (action) => zeroDefaulted(action, HTTP_GET))

const probeDefaults = (probe: Fields): Fields => {
  const done = zeroDefaulted(withHttpGet(probe), PROBE)
  return withPart(done, "grpc", (grpc) => defaulted(grpc, { service: "" }))
}

const lifecycleDefaults = (lifecycle: Fields): Fields =>
  withPart(withPart(lifecycle, "postStart", withHttpGet), "preStop", withHttpGet)

const envDefaults = (variable: Fields): Fields => withPart(variable, "valueFrom", withFieldRef)

const portDefaults = (port: Fields): Fields => zeroDefaulted(port, { protocol: "TCP" })

const containerDefaults = (container: Fields): Fields => {
  let done = zeroDefaulted(container, TERMINATION)
  if (textOf(done["imagePullPolicy"]) === "") {
    done = { ...done, imagePullPolicy: pullPolicyOf(textOf(done["image"])) }
  }
  if (done["ports"] !== undefined) done = withItems(done, "ports", portDefaults)
  if (done["env"] !== undefined) done = withItems(done, "env", envDefaults)
  if (done["livenessProbe"] !== undefined) done = withPart(done, "livenessProbe", probeDefaults)
  if (done["readinessProbe"] !== undefined) done = withPart(done, "readinessProbe", probeDefaults)
  if (done["startupProbe"] !== undefined) done = withPart(done, "startupProbe", probeDefaults)
  if (done["lifecycle"] !== undefined) done = withPart(done, "lifecycle", lifecycleDefaults)
  return done
}

/** A pod spec with the defaults that pods and templates share; itself when it lacks none. */
export const podSpecDefaults = (spec: Fields): Fields => {
  let done = defaulted(zeroDefaulted(spec, POD_SPEC_WORDS), POD_SPEC)
  const account = textOf(done["serviceAccountName"]) || textOf(done["serviceAccount"])
  if (account !== "") {
    done = withField(withField(done, "serviceAccountName", account), "serviceAccount", account)
  }
  if (done["volumes"] !== undefined) done = withItems(done, "volumes", volumeDefaults)
  if (done["initContainers"] !== undefined) done = withItems(done, "initContainers", containerDefaults)
  if (done["ephemeralContainers"] !== undefined) done = withItems(done, "ephemeralContainers", containerDefaults)
  done = withItems(done, "containers", containerDefaults)
  return done["hostNetwork"] === true ? withHostPorts(done) : done
}

const hostPort = (port: Fields): Fields =>
  port["hostPort"] === undefined || port["hostPort"] === 0 ? { ...port, hostPort: port["containerPort"] } : port

const hostPorts = (container: Fields): Fields => withItems(container, "ports", hostPort)

const withHostPorts = (spec: Fields): Fields =>
  withItems(withItems(spec, "containers", hostPorts), "initContainers", hostPorts)

const requestsFromLimits = (container: Fields): Fields => {
  const resources = fieldsOf(container["resources"])
  const limits = fieldsIn(resources["limits"])
  if (limits === undefined) return container
  const requests = fieldsOf(resources["requests"])
  for (const name in limits) {
    if (requests[name] === undefined) {
      return { ...container, resources: { ...resources, requests: { ...limits, ...requests } } }
    }
  }
  return container
}

/** A pod's own defaults on top of those of its spec. */
export const podDefaults = (draft: Draft): void => {
  const spec = fieldsIn(draft.spec)
  if (spec === undefined) return
  let done = podSpecDefaults(spec)
  const grace = done["terminationGracePeriodSeconds"]
  if (typeof grace === "number" && grace < 0) done = { ...done, terminationGracePeriodSeconds: 1 }
  if (done["enableServiceLinks"] === undefined) done = { ...done, enableServiceLinks: true }
  done = withItems(done, "containers", requestsFromLimits)
  if (done["initContainers"] !== undefined) done = withItems(done, "initContainers", requestsFromLimits)
  if (done !== spec) draft.spec = done
}

/** podIP and podIPs say the same. */
export const podStatusDefaults = ({ status }: Draft): void => {
  if (status === undefined) return
  const ip = textOf(status["podIP"])
  const first = textOf(itemsOf(status["podIPs"])[0]?.["ip"])
  if (ip === first) return
  if (ip === "") status["podIP"] = first
  else status["podIPs"] = [{ ip }]
}

/** A template with the defaults of its spec; itself when it lacks none. */
export const templateDefaults = (template: Fields): Fields => withPart(template, "spec", podSpecDefaults)

/** Applies the defaults of `spec.template` to an object that makes pods. */
export const withTemplate = (spec: JsonObject): JsonObject => withPart(spec, "template", templateDefaults)
