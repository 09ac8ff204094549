// What a pod must satisfy to be taken, and what may still change of it.
// Owns the rules of whole pod specs; their parts have files of their own. Source: kubernetes pkg/apis/core/validation.
import { type KubeObject, Names, sameJson } from "#kube"
import { checkAddress, parseAddress } from "../Addresses.ts"
import { type Fields, fieldsIn, fieldsOf, itemsOf, mapOf, numberOf, textOf, textsOf } from "../Fields.ts"
import { checkLabels } from "../Meta.ts"
import {
  duplicate,
  forbidden,
  invalid,
  invalidEach,
  notNegative,
  notSupported,
  oneOf,
  type Problems,
  required,
  tooLong
} from "../Problems.ts"
import { checkAmount, checkContainerResource } from "../Resources.ts"
import { checkContainers, checkImageSpace } from "./ContainerRules.ts"
import { checkPodSecurity } from "./SecurityRules.ts"
import { checkAffinity, checkSpread, checkTolerations } from "./SchedulingRules.ts"
import { checkVolumes } from "./VolumeRules.ts"

const MAX_INT32 = 2_147_483_647

const checkDns = (spec: Fields, path: string, problems: Problems): void => {
  const policy = textOf(spec["dnsPolicy"])
  const config = fieldsIn(spec["dnsConfig"])
  const place = `${path}.dnsConfig`
  if (policy === "None") {
    if (config === undefined) {
      return void problems.push(required(place, "must provide `dnsConfig` when `dnsPolicy` is None"))
    }
    if (textsOf(config["nameservers"]).length === 0) {
      const why = "must provide at least one DNS nameserver when `dnsPolicy` is None"
      return void problems.push(required(`${place}.nameservers`, why))
    }
  }
  if (config === undefined) return
  const servers = textsOf(config["nameservers"])
  if (servers.length > 3) {
    problems.push(invalid(`${place}.nameservers`, servers, "must not have more than 3 nameservers"))
  }
  servers.forEach((one, at) => checkAddress(one, `${place}.nameservers[${at}]`, problems))
  const searches = textsOf(config["searches"])
  if (searches.length > 32) {
    problems.push(invalid(`${place}.searches`, searches, "must not have more than 32 search paths"))
  }
  itemsOf(config["options"]).forEach((one, at) => {
    if (textOf(one["name"]) === "") problems.push(required(`${place}.options[${at}]`, "must not be empty"))
  })
}

const checkHostNetwork = (spec: Fields, ofPod: boolean, path: string, problems: Problems): void => {
  if (spec["hostNetwork"] !== true) return
  itemsOf(spec["containers"]).forEach((container, at) => {
    itemsOf(container["ports"]).forEach((port, portAt) => {
      const host = numberOf(port["hostPort"])
      if ((ofPod || host !== 0) && host !== numberOf(port["containerPort"])) {
        const place = `${path}.containers[${at}].ports[${portAt}].hostPort`
        problems.push(invalid(place, host, "must match `containerPort` when `hostNetwork` is true"))
      }
    })
  })
}

const checkGates = (spec: Fields, path: string, problems: Problems): void => {
  itemsOf(spec["readinessGates"]).forEach((gate, at) => {
    const type = textOf(gate["conditionType"])
    invalidEach(`${path}.readinessGates[${at}].conditionType`, type, Names.qualifiedName(type), problems)
  })
  const seen = new Set<string>()
  itemsOf(spec["schedulingGates"]).forEach((gate, at) => {
    const name = textOf(gate["name"])
    const place = `${path}.schedulingGates[${at}]`
    invalidEach(place, name, Names.qualifiedName(name), problems)
    if (seen.has(name)) problems.push(duplicate(place, name))
    seen.add(name)
  })
}

const checkNames = (spec: Fields, path: string, problems: Problems): void => {
  const rules = [
    ["serviceAccountName", Names.dnsSubdomain],
    ["nodeName", Names.dnsSubdomain]
  ] as const
  for (const [field, rule] of rules) {
    const name = textOf(spec[field])
    if (name !== "") invalidEach(`${path}.${field}`, name, rule(name), problems)
  }
  const deadline = spec["activeDeadlineSeconds"]
  if (typeof deadline === "number" && (deadline < 1 || deadline > MAX_INT32)) {
    problems.push(invalid(`${path}.activeDeadlineSeconds`, deadline, "must be between 1 and 2147483647, inclusive"))
  }
  for (const field of ["hostname", "subdomain"]) {
    const name = textOf(spec[field])
    if (name !== "") invalidEach(`${path}.${field}`, name, Names.dnsLabel(name), problems)
  }
  const host = spec["hostnameOverride"]
  if (typeof host === "string") checkHost(host, spec, `${path}.hostnameOverride`, problems)
}

const checkHost = (host: string, spec: Fields, path: string, problems: Problems): void => {
  for (const field of ["setHostnameAsFQDN", "hostNetwork"]) {
    if (spec[field] === true) problems.push(forbidden(path, `may not be specified when ${field} is true`))
  }
  if (Buffer.byteLength(host) > 64) problems.push(tooLong(path, 64))
  invalidEach(path, host, Names.dnsSubdomain(host), problems)
}

const checkHostAliases = (aliases: ReadonlyArray<Fields>, path: string, problems: Problems): void => {
  aliases.forEach((alias, at) => {
    checkAddress(textOf(alias["ip"]), `${path}[${at}].ip`, problems)
    textsOf(alias["hostnames"]).forEach((name, nameAt) =>
      invalidEach(`${path}[${at}].hostnames[${nameAt}]`, name, Names.dnsSubdomain(name), problems)
    )
  })
}

const SYSTEMS = ["linux", "windows"]

const checkOs = (name: string, path: string, problems: Problems): void => {
  if (name === "") problems.push(required(`${path}.name`))
  else if (!SYSTEMS.includes(name)) problems.push(notSupported(path, name, SYSTEMS))
}

const checkLate = (spec: Fields, path: string, problems: Problems): void => {
  if (spec["tolerations"] !== undefined) checkTolerations(itemsOf(spec["tolerations"]), `${path}.tolerations`, problems)
  if (spec["hostAliases"] !== undefined) checkHostAliases(itemsOf(spec["hostAliases"]), `${path}.hostAliases`, problems)
  for (const field of ["priorityClassName", "runtimeClassName"]) {
    const name = textOf(spec[field])
    if (name !== "") invalidEach(`${path}.${field}`, name, Names.dnsSubdomain(name), problems)
  }
  if (spec["preemptionPolicy"] !== undefined) {
    oneOf(`${path}.preemptionPolicy`, spec["preemptionPolicy"], ["PreemptLowerPriority", "Never"], problems)
  }
  const overhead = fieldsIn(spec["overhead"])
  for (const name in overhead) {
    checkContainerResource(name, `${path}.overhead.limits[${name}]`, problems)
    checkAmount(name, overhead[name], `${path}.overhead.limits[${name}]`, problems)
  }
  const os = fieldsIn(spec["os"])
  if (os !== undefined) checkOs(textOf(os["name"]), `${path}.os`, problems)
}

const DNS_POLICIES = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"]

/** Checks a pod spec; `ofPod` when it is a pod's own and not a template's. */
export const checkPodSpec = (spec: Fields, path: string, problems: Problems, ofPod = false): void => {
  const volumes = checkVolumes(itemsOf(spec["volumes"]), `${path}.volumes`, problems)
  checkContainers(spec, volumes, path, problems)
  checkHostNetwork(spec, ofPod, path, problems)
  oneOf(`${path}.restartPolicy`, spec["restartPolicy"], ["Always", "OnFailure", "Never"], problems)
  oneOf(`${path}.dnsPolicy`, spec["dnsPolicy"], DNS_POLICIES, problems)
  if (spec["nodeSelector"] !== undefined) checkLabels(mapOf(spec["nodeSelector"]), `${path}.nodeSelector`, problems)
  const security = fieldsIn(spec["securityContext"])
  if (security !== undefined) checkPodSecurity(spec, security, `${path}.securityContext`, problems)
  if (spec["shareProcessNamespace"] === true && spec["hostPID"] === true) {
    const why = "ShareProcessNamespace and HostPID cannot both be enabled"
    problems.push(invalid(`${path}.shareProcessNamespace`, true, why))
  }
  const affinity = fieldsIn(spec["affinity"])
  if (affinity !== undefined) checkAffinity(affinity, `${path}.affinity`, problems)
  checkDns(spec, path, problems)
  checkGates(spec, path, problems)
  if (spec["topologySpreadConstraints"] !== undefined) {
    const place = `${path}.topologySpreadConstraints`
    checkSpread(itemsOf(spec["topologySpreadConstraints"]), place, problems)
  }
  checkNames(spec, path, problems)
  checkLate(spec, path, problems)
}

/** Checks a template of pods: its labels, annotations and spec. */
export const checkTemplate = (template: Fields, path: string, problems: Problems): void => {
  const metadata = fieldsOf(template["metadata"])
  if (metadata["labels"] !== undefined) checkLabels(mapOf(metadata["labels"]), `${path}.labels`, problems)
  for (const name in fieldsOf(metadata["annotations"])) {
    invalidEach(`${path}.annotations`, name, Names.qualifiedName(name.toLowerCase()), problems)
  }
  const spec = fieldsOf(template["spec"])
  checkPodSpec(spec, `${path}.spec`, problems)
  if (itemsOf(spec["ephemeralContainers"]).length > 0) {
    problems.push(forbidden(`${path}.spec.ephemeralContainers`, "ephemeral containers not allowed in pod template"))
  }
}

/** Checks a whole pod, new or changed. */
export const checkPod = (pod: KubeObject, problems: Problems): void => {
  const spec = fieldsOf(pod.spec)
  checkPodSpec(spec, "spec", problems, true)
  notNegative("spec.terminationGracePeriodSeconds", spec["terminationGracePeriodSeconds"], problems)
  for (const field of ["containers", "initContainers"]) {
    itemsOf(spec[field]).forEach((one, at) => checkImageSpace(one, `spec.${field}[${at}]`, problems))
  }
  if (pod.metadata.resourceVersion !== undefined) return
  if (itemsOf(spec["ephemeralContainers"]).length > 0) {
    problems.push(forbidden("spec.ephemeralContainers", "cannot be set on create"))
  }
  if (textOf(spec["nodeName"]) !== "" && itemsOf(spec["schedulingGates"]).length > 0) {
    problems.push(forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared"))
  }
}

const sameCount = (now: Fields, before: Fields, field: string, problems: Problems): boolean => {
  if (itemsOf(now[field]).length === itemsOf(before[field]).length) return true
  problems.push(forbidden(`spec.${field}`, "pod updates may not add or remove containers"))
  return false
}

const checkDeadline = (now: unknown, before: unknown, problems: Problems): void => {
  const path = "spec.activeDeadlineSeconds"
  if (typeof now === "number") {
    if (now < 0 || now > MAX_INT32) problems.push(invalid(path, now, "must be between 0 and 2147483647, inclusive"))
    if (typeof before === "number" && before < now) {
      problems.push(invalid(path, now, "must be less than or equal to previous value"))
    }
  } else if (before !== undefined) {
    problems.push(invalid(path, null, "must not update from a positive integer to nil value"))
  }
}

const checkAddedTolerations = (now: Fields, before: Fields, problems: Problems): void => {
  const given = itemsOf(now["tolerations"])
  for (const old of itemsOf(before["tolerations"])) {
    const kept = given.some((one) => sameJson({ ...old, tolerationSeconds: one["tolerationSeconds"] }, one))
    if (kept) continue
    const why = "existing toleration can not be modified except its tolerationSeconds"
    problems.push(forbidden("spec.tolerations", why))
  }
}

const checkRemovedGates = (now: Fields, before: Fields, problems: Problems): void => {
  const old = new Set(itemsOf(before["schedulingGates"]).map((gate) => gate["name"]))
  itemsOf(now["schedulingGates"]).forEach((gate, at) => {
    if (old.has(gate["name"])) return
    const why = `only deletion is allowed, but found new scheduling gate '${textOf(gate["name"])}'`
    problems.push(forbidden(`spec.schedulingGates[${at}].name`, why))
  })
}

const CHANGEABLE = [
  "`spec.containers[*].image`",
  "`spec.initContainers[*].image`",
  "`spec.activeDeadlineSeconds`",
  "`spec.tolerations` (only additions to existing tolerations)",
  "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
]

const withImagesOf = (containers: unknown, old: unknown): unknown => {
  const before = itemsOf(old)
  return itemsOf(containers).map((one, at) => ({ ...one, image: before[at]?.["image"] }))
}

/** The new spec with all that may change set back: what differs still may not. */
const setBack = (now: Fields, before: Fields): Fields => {
  const gated = itemsOf(before["schedulingGates"]).length > 0
  return {
    ...now,
    containers: withImagesOf(now["containers"], before["containers"]) as never,
    initContainers:
      now["initContainers"] === undefined
        ? undefined
        : (withImagesOf(now["initContainers"], before["initContainers"]) as never),
    activeDeadlineSeconds: before["activeDeadlineSeconds"],
    tolerations: before["tolerations"],
    schedulingGates: before["schedulingGates"],
    // A pod that may not be scheduled yet may still be told more narrowly where it may run.
    ...(gated ? { nodeSelector: before["nodeSelector"], affinity: before["affinity"] } : {})
  }
}

/** Checks what changed of a pod. */
export const checkPodUpdate = (pod: KubeObject, old: KubeObject, problems: Problems): void => {
  const now = fieldsOf(pod.spec)
  const before = fieldsOf(old.spec)
  if (now === before) return
  if (!sameCount(now, before, "containers", problems) || !sameCount(now, before, "initContainers", problems)) return
  checkDeadline(now["activeDeadlineSeconds"], before["activeDeadlineSeconds"], problems)
  checkAddedTolerations(now, before, problems)
  checkRemovedGates(now, before, problems)
  if (itemsOf(before["schedulingGates"]).length > 0) checkNarrowed(now, before, problems)
  if (sameJson(setBack(now, before), before)) return
  problems.push(forbidden("spec", `pod updates may not change fields other than ${CHANGEABLE.join(",")}\n`))
}

const checkNarrowed = (now: Fields, before: Fields, problems: Problems): void => {
  const wanted = mapOf(now["nodeSelector"])
  const had = mapOf(before["nodeSelector"])
  for (const key in had) {
    if (wanted[key] === had[key]) continue
    problems.push(
      invalid(
        "spec.nodeSelector",
        { ...wanted },
        "only additions to spec.nodeSelector are allowed (no mutations or deletions)"
      )
    )
    return
  }
}

const checkStates = (now: Fields, before: Fields, field: string, restartPolicy: string, problems: Problems): void => {
  if (restartPolicy === "Always") return
  const statuses = itemsOf(now[field])
  itemsOf(before[field]).forEach((old, at) => {
    const ended = fieldsIn(fieldsOf(old["state"])["terminated"])
    if (ended === undefined) return
    if (numberOf(ended["exitCode"]) !== 0 && restartPolicy === "OnFailure") return
    const next = statuses.find((one) => one["name"] === old["name"])
    if (next === undefined || fieldsOf(next["state"])["terminated"] !== undefined) return
    problems.push(forbidden(`status.${field}[${at}].state`, "may not be transitioned to non-terminated state"))
  })
}

const checkIps = (status: Fields, problems: Problems): void => {
  const ips = itemsOf(status["podIPs"]).map((one) => textOf(one["ip"]))
  ips.forEach((ip, at) => checkAddress(ip, `status.podIPs[${at}]`, problems))
  if (ips.length < 2) return
  const families = new Set(ips.map((ip) => parseAddress(ip)?.family))
  if (families.size !== ips.length) {
    const why = "may specify no more than one IP for each IP family"
    problems.push(invalid("status.podIPs", itemsOf(status["podIPs"]), why))
  }
}

const SYSTEM_CONDITIONS: ReadonlySet<string> = new Set(["ContainersReady", "Initialized", "PodScheduled", "Ready"])

/** Checks what a status update says. */
export const checkPodStatus = (pod: KubeObject, old: KubeObject, problems: Problems): void => {
  const now = fieldsOf(pod.status)
  const before = fieldsOf(old.status)
  const spec = fieldsOf(old.spec)
  itemsOf(now["conditions"]).forEach((one, at) => {
    const type = textOf(one["type"])
    if (SYSTEM_CONDITIONS.has(type)) return
    invalidEach(`status.conditions[${at}].type`, type, Names.qualifiedName(type), problems)
  })
  const nominated = textOf(now["nominatedNodeName"])
  if (nominated !== "" && nominated !== before["nominatedNodeName"]) {
    invalidEach("status.nominatedNodeName", nominated, Names.dnsSubdomain(nominated), problems)
  }
  if (now["qosClass"] !== before["qosClass"]) {
    problems.push(invalid("status.qosClass", textOf(now["qosClass"]), "field is immutable"))
  }
  const policy = textOf(spec["restartPolicy"])
  checkStates(now, before, "containerStatuses", policy, problems)
  checkStates(now, before, "initContainerStatuses", policy, problems)
  checkIps(now, problems)
}
