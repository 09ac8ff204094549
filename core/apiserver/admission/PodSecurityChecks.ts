// The Pod Security Standards: what a pod of the levels baseline and restricted must not ask for.
// Owns the checks, their order and wording, as of the newest version; refuses to know which level a namespace asks for.
// Source: k8s.io/pod-security-admission, policy.
import type { KubeObject } from "#kube"
import { fieldsIn, fieldsOf, itemsOf, textOf, textsOf } from "../resources/Fields.ts"
import type { Fields } from "./Plugin.ts"

/** A pod, or a template of pods. */
export interface PodLike {
  readonly metadata: KubeObject["metadata"]
  readonly spec: Fields
}

interface Pod extends PodLike {
  readonly security: Fields
  readonly containers: ReadonlyArray<Fields>
}

/** What is wrong, in brackets after the check's title; undefined when nothing is. */
type Check = readonly [title: string, detail: (pod: Pod) => string | undefined]

const quoted = (names: Iterable<string>): string => [...names].map((name) => JSON.stringify(name)).join(", ")
const plural = (count: number, one: string): string => (count === 1 ? one : `${one}s`)
const sortedSet = (values: Iterable<string>): ReadonlyArray<string> => [...new Set(values)].sort()
const nameOf = (container: Fields): string => textOf(container["name"])
const securityOf = (container: Fields): Fields => fieldsOf(container["securityContext"])
const named = (containers: ReadonlyArray<Fields>): string =>
  `${plural(containers.length, "container")} ${quoted(containers.map(nameOf))}`

/** Who sets something wrong: the pod, some containers, or both. */
const setters = (pod: boolean, containers: ReadonlyArray<Fields>): string =>
  [...(pod ? ["pod"] : []), ...(containers.length > 0 ? [named(containers)] : [])].join(" and ")

/** Pods in a user namespace of their own may do more. */
const isInUserNamespace = ({ spec }: Pod): boolean => spec["hostUsers"] === false

const appArmor = ({ containers, metadata, security }: Pod): string | undefined => {
  const typeOf = (context: Fields): string => textOf(fieldsOf(context["appArmorProfile"])["type"])
  const isBad = (type: string): boolean => type !== "" && type !== "RuntimeDefault" && type !== "Localhost"
  const bad = containers.filter((container) => isBad(typeOf(securityOf(container))))
  const notes = Object.entries(metadata.annotations ?? {}).filter(
    ([key, value]) =>
      key.startsWith("container.apparmor.security.beta.kubernetes.io/") &&
      value !== "" &&
      value !== "runtime/default" &&
      !value.startsWith("localhost/")
  )
  const ofPod = isBad(typeOf(security))
  if (!ofPod && bad.length === 0 && notes.length === 0) return undefined
  const values = sortedSet([
    ...(ofPod ? [typeOf(security)] : []),
    ...bad.map((container) => typeOf(securityOf(container))),
    ...notes.map(([key, value]) => `${key}=${JSON.stringify(value)}`)
  ])
  const who = [setters(ofPod, bad), ...(notes.length > 0 ? [plural(notes.length, "annotation")] : [])].filter(Boolean)
  return `${who.join(" and ")} must not set AppArmor profile type to ${quoted(values)}`
}

/** Capabilities that a container may add under the baseline of pod security. */
export const BASELINE_CAPABILITIES: ReadonlySet<string> = new Set([
  "AUDIT_WRITE",
  "CHOWN",
  "DAC_OVERRIDE",
  "FOWNER",
  "FSETID",
  "KILL",
  "MKNOD",
  "NET_BIND_SERVICE",
  "SETFCAP",
  "SETGID",
  "SETPCAP",
  "SETUID",
  "SYS_CHROOT"
])

const added = (container: Fields): ReadonlyArray<string> =>
  textsOf(fieldsOf(securityOf(container)["capabilities"])["add"])

const capabilitiesBaseline = ({ containers }: Pod): string | undefined => {
  const bad = containers.filter((container) => added(container).some((name) => !BASELINE_CAPABILITIES.has(name)))
  if (bad.length === 0) return undefined
  const names = sortedSet(bad.flatMap(added).filter((name) => !BASELINE_CAPABILITIES.has(name)))
  return `${named(bad)} must not include ${quoted(names)} in securityContext.capabilities.add`
}

const capabilitiesRestricted = ({ containers }: Pod): string | undefined => {
  const keeping = containers.filter(
    (container) => !textsOf(fieldsOf(securityOf(container)["capabilities"])["drop"]).includes("ALL")
  )
  const adding = containers.filter((container) => added(container).some((name) => name !== "NET_BIND_SERVICE"))
  const names = sortedSet(adding.flatMap(added).filter((name) => name !== "NET_BIND_SERVICE"))
  const details = [
    ...(keeping.length > 0 ? [`${named(keeping)} must set securityContext.capabilities.drop=["ALL"]`] : []),
    ...(adding.length > 0
      ? [`${named(adding)} must not include ${quoted(names)} in securityContext.capabilities.add`]
      : [])
  ]
  return details.length === 0 ? undefined : details.join("; ")
}

const hostNamespaces = ({ spec }: Pod): string | undefined => {
  const used = ["hostNetwork", "hostPID", "hostIPC"].filter((field) => spec[field] === true)
  return used.length === 0 ? undefined : used.map((field) => `${field}=true`).join(", ")
}

const hostPaths = ({ spec }: Pod): string | undefined => {
  const volumes = itemsOf(spec["volumes"]).filter(({ hostPath }) => hostPath !== undefined)
  return volumes.length === 0 ? undefined : `${plural(volumes.length, "volume")} ${quoted(volumes.map(nameOf))}`
}

const hostPorts = ({ containers }: Pod): string | undefined => {
  const ports = (container: Fields): ReadonlyArray<string> =>
    itemsOf(container["ports"]).flatMap(({ hostPort }) =>
      typeof hostPort === "number" && hostPort !== 0 ? [String(hostPort)] : []
    )
  const bad = containers.filter((container) => ports(container).length > 0)
  if (bad.length === 0) return undefined
  const used = sortedSet(bad.flatMap(ports))
  return `${named(bad)} ${bad.length === 1 ? "uses" : "use"} ${plural(used.length, "hostPort")} ${used.join(", ")}`
}

const hostHandlers = ({ containers }: Pod): string | undefined => {
  const hosts = (container: Fields): ReadonlyArray<string> => {
    const lifecycle = fieldsOf(container["lifecycle"])
    const handlers = [
      ...["livenessProbe", "readinessProbe", "startupProbe"].map((field) => fieldsOf(container[field])),
      ...["postStart", "preStop"].map((field) => fieldsOf(lifecycle[field]))
    ]
    return handlers
      .flatMap((handler) => [fieldsOf(handler["httpGet"])["host"], fieldsOf(handler["tcpSocket"])["host"]])
      .flatMap((host) => (typeof host === "string" && host !== "" ? [host] : []))
  }
  const bad = containers.filter((container) => hosts(container).length > 0)
  if (bad.length === 0) return undefined
  const used = sortedSet(bad.flatMap(hosts))
  const names = sortedSet(bad.map(nameOf))
  return `${plural(names.length, "container")} ${quoted(names)} ${names.length === 1 ? "uses" : "use"} probe or lifecycle ${plural(used.length, "host")} ${quoted(used)}`
}

const privileged = ({ containers }: Pod): string | undefined => {
  const bad = containers.filter((container) => securityOf(container)["privileged"] === true)
  return bad.length === 0 ? undefined : `${named(bad)} must not set securityContext.privileged=true`
}

const procMount = ({ containers }: Pod): string | undefined => {
  const typeOf = (container: Fields): string => textOf(securityOf(container)["procMount"])
  const bad = containers.filter((container) => typeOf(container) !== "" && typeOf(container) !== "Default")
  if (bad.length === 0) return undefined
  return `${named(bad)} must not set securityContext.procMount to ${quoted(sortedSet(bad.map(typeOf)))}`
}

/** Types of SELinux that a baseline pod may have; "" is none. */
export const BASELINE_SELINUX_TYPES: ReadonlySet<string> = new Set([
  "",
  "container_t",
  "container_init_t",
  "container_kvm_t",
  "container_engine_t"
])

const seLinux = ({ containers, security }: Pod): string | undefined => {
  const of = (context: Fields): Fields => fieldsOf(context["seLinuxOptions"])
  const isBad = (options: Fields): boolean =>
    !BASELINE_SELINUX_TYPES.has(textOf(options["type"])) ||
    textOf(options["user"]) !== "" ||
    textOf(options["role"]) !== ""
  const bad = containers.filter((container) => isBad(of(securityOf(container))))
  const ofPod = isBad(of(security))
  if (!ofPod && bad.length === 0) return undefined
  const all = [...(ofPod ? [of(security)] : []), ...bad.map((container) => of(securityOf(container)))]
  const types = sortedSet(
    all.map((options) => textOf(options["type"])).filter((type) => !BASELINE_SELINUX_TYPES.has(type))
  )
  const data = [
    ...(types.length > 0 ? [`${plural(types.length, "type")} ${quoted(types)}`] : []),
    ...["user", "role"]
      .filter((field) => all.some((one) => textOf(one[field]) !== ""))
      .map((f) => `${f} may not be set`)
  ]
  return `${setters(ofPod, bad)} set forbidden securityContext.seLinuxOptions: ${data.join("; ")}`
}

const seccompType = (context: Fields): string => textOf(fieldsOf(context["seccompProfile"])["type"])
const isForbiddenSeccomp = (type: string): boolean => type !== "" && type !== "RuntimeDefault" && type !== "Localhost"

const seccompBaseline = ({ containers, security }: Pod): string | undefined => {
  const bad = containers.filter((container) => isForbiddenSeccomp(seccompType(securityOf(container))))
  const ofPod = isForbiddenSeccomp(seccompType(security))
  if (!ofPod && bad.length === 0) return undefined
  const types = sortedSet([
    ...(ofPod ? [seccompType(security)] : []),
    ...bad.map((one) => seccompType(securityOf(one)))
  ])
  return `${setters(ofPod, bad)} must not set securityContext.seccompProfile.type to ${quoted(types)}`
}

const seccompRestricted = (pod: Pod): string | undefined => {
  const explicit = seccompBaseline(pod)
  if (explicit !== undefined) return explicit
  if (seccompType(pod.security) !== "") return undefined
  const bad = pod.containers.filter((container) => seccompType(securityOf(container)) === "")
  return bad.length === 0
    ? undefined
    : `pod or ${named(bad)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"`
}

/** Kernel parameters that a pod may set under the baseline of pod security. */
export const BASELINE_SYSCTLS: ReadonlySet<string> = new Set([
  "kernel.shm_rmid_forced",
  "net.ipv4.ip_local_port_range",
  "net.ipv4.tcp_syncookies",
  "net.ipv4.ping_group_range",
  "net.ipv4.ip_unprivileged_port_start",
  "net.ipv4.ip_local_reserved_ports",
  "net.ipv4.tcp_keepalive_time",
  "net.ipv4.tcp_fin_timeout",
  "net.ipv4.tcp_keepalive_intvl",
  "net.ipv4.tcp_keepalive_probes",
  "net.ipv4.tcp_rmem",
  "net.ipv4.tcp_wmem",
  "net.ipv4.tcp_slow_start_after_idle",
  "net.ipv4.tcp_notsent_lowat"
])

const sysctls = ({ security }: Pod): string | undefined => {
  const bad = itemsOf(security["sysctls"])
    .map(nameOf)
    .filter((name) => !BASELINE_SYSCTLS.has(name))
  return bad.length === 0 ? undefined : bad.join(", ")
}

const hostProcess = ({ containers, security }: Pod): string | undefined => {
  const isBad = (context: Fields): boolean => fieldsOf(context["windowsOptions"])["hostProcess"] === true
  const bad = containers.filter((container) => isBad(securityOf(container)))
  if (!isBad(security) && bad.length === 0) return undefined
  return `${setters(isBad(security), bad)} must not set securityContext.windowsOptions.hostProcess=true`
}

const escalation = ({ containers, spec }: Pod): string | undefined => {
  if (fieldsOf(spec["os"])["name"] === "windows") return undefined
  const bad = containers.filter((container) => securityOf(container)["allowPrivilegeEscalation"] !== false)
  return bad.length === 0 ? undefined : `${named(bad)} must set securityContext.allowPrivilegeEscalation=false`
}

const FREE_VOLUMES: ReadonlySet<string> = new Set([
  "configMap",
  "csi",
  "downwardAPI",
  "emptyDir",
  "ephemeral",
  "image",
  "persistentVolumeClaim",
  "projected",
  "secret",
  "name"
])

const volumeTypes = ({ spec }: Pod): string | undefined => {
  const types = (volume: Fields): ReadonlyArray<string> =>
    Object.keys(volume).filter((field) => !FREE_VOLUMES.has(field) && fieldsIn(volume[field]) !== undefined)
  const bad = itemsOf(spec["volumes"]).filter((volume) => types(volume).length > 0)
  if (bad.length === 0) return undefined
  const used = sortedSet(bad.flatMap(types))
  return `${plural(bad.length, "volume")} ${quoted(bad.map(nameOf))} ${bad.length === 1 ? "uses" : "use"} restricted volume ${plural(used.length, "type")} ${quoted(used)}`
}

const runAsNonRoot = (pod: Pod): string | undefined => {
  if (isInUserNamespace(pod)) return undefined
  const { containers, security } = pod
  const of = (context: Fields): unknown => context["runAsNonRoot"]
  const explicit = containers.filter((container) => of(securityOf(container)) === false)
  const ofPod = of(security) === false
  // A pod's own false counts only where a container does not say otherwise.
  if (explicit.length > 0 || (ofPod && containers.some((container) => of(securityOf(container)) !== true)))
    return `${setters(ofPod, explicit)} must not set securityContext.runAsNonRoot=false`
  if (of(security) === true) return undefined
  const bad = containers.filter((container) => of(securityOf(container)) !== true)
  return bad.length === 0 ? undefined : `pod or ${named(bad)} must set securityContext.runAsNonRoot=true`
}

const runAsUser = (pod: Pod): string | undefined => {
  if (isInUserNamespace(pod)) return undefined
  const bad = pod.containers.filter((container) => securityOf(container)["runAsUser"] === 0)
  const ofPod = pod.security["runAsUser"] === 0
  return !ofPod && bad.length === 0 ? undefined : `${setters(ofPod, bad)} must not set runAsUser=0`
}

/** In the order in which they are told. */
const SHARED: ReadonlyArray<Check> = [
  ["hostPort", hostPorts],
  ["probe or lifecycle host", hostHandlers],
  ["privileged", privileged]
]
const SHARED_LAST: ReadonlyArray<Check> = [
  ["forbidden sysctls", sysctls],
  ["hostProcess", hostProcess]
]
const BASELINE: ReadonlyArray<Check> = [
  ["forbidden AppArmor profile", appArmor],
  ["non-default capabilities", capabilitiesBaseline],
  ["host namespaces", hostNamespaces],
  ["hostPath volumes", hostPaths],
  ...SHARED,
  ["procMount", (pod) => (isInUserNamespace(pod) ? undefined : procMount(pod))],
  ["seLinuxOptions", seLinux],
  ["seccompProfile", seccompBaseline],
  ...SHARED_LAST
]
const RESTRICTED: ReadonlyArray<Check> = [
  ["forbidden AppArmor profile", appArmor],
  ["host namespaces", hostNamespaces],
  ...SHARED,
  ["seLinuxOptions", seLinux],
  ...SHARED_LAST,
  ["allowPrivilegeEscalation != false", escalation],
  ["unrestricted capabilities", capabilitiesRestricted],
  ["procMount", procMount],
  ["restricted volume types", volumeTypes],
  ["runAsNonRoot != true", runAsNonRoot],
  ["runAsUser=0", runAsUser],
  ["seccompProfile", seccompRestricted]
]

export type Level = "privileged" | "baseline" | "restricted"

/** What of a pod a level forbids, each as "title (detail)"; empty when nothing is. */
export const podSecurityProblems = (level: Level, { metadata, spec }: PodLike): ReadonlyArray<string> => {
  if (level === "privileged") return []
  const containers = ["initContainers", "containers", "ephemeralContainers"].flatMap((field) => [
    ...itemsOf(spec[field])
  ])
  const pod: Pod = { metadata, spec, security: fieldsOf(spec["securityContext"]), containers }
  return (level === "baseline" ? BASELINE : RESTRICTED).flatMap(([title, detail]) => {
    const problem = detail(pod)
    return problem === undefined ? [] : [`${title} (${problem})`]
  })
}
