// What a tenant's pod may not ask of the node that it shares with others: the baseline of Kubernetes' pod security, and what reaches
// past the pod's own network.
// Owns these expressions in CEL over a pod; refuses to depend on labels of namespaces, which tenants write.
import { BASELINE_CAPABILITIES, BASELINE_SELINUX_TYPES, BASELINE_SYSCTLS } from "#apiserver"

export interface Rule {
  readonly expression: string
  readonly message: string
}

const absent = (path: string): string => {
  const dot = path.lastIndexOf(".")
  return `!has(${path.slice(0, dot)}.${path.slice(dot + 1)})`
}

/** All containers of the pod satisfy something. */
const containers = (of: (c: string) => string): string =>
  ["containers", "initContainers", "ephemeralContainers"]
    .map((list) => `(!has(object.spec.${list}) || object.spec.${list}.all(c, ${of("c")}))`)
    .join(" && ")

/** Of each container's own security context, and of the pod's where `pod` says so. */
const contexts = (of: (context: string) => string, pod: boolean): string => {
  const own = containers((c) => `!has(${c}.securityContext) || (${of(`${c}.securityContext`)})`)
  return pod ? `(!has(object.spec.securityContext) || (${of("object.spec.securityContext")})) && ${own}` : own
}

const listOf = (texts: ReadonlySet<string>): string => `[${Array.from(texts, (text) => `'${text}'`).join(", ")}]`

const hostRules: ReadonlyArray<Rule> = ["hostNetwork", "hostPID", "hostIPC"].map((field) => ({
  expression: `!has(object.spec.${field}) || !object.spec.${field}`,
  message: `spec.${field}: a tenant's pod shares no namespace of its node`
}))

/** A handler's host is the pod itself: anything else the kubelet would call from the node. */
const ownHost = (handler: string): string =>
  `(!has(${handler}.httpGet) || !has(${handler}.httpGet.host) || ${handler}.httpGet.host == '') && (!has(${handler}.tcpSocket) || !has(${handler}.tcpSocket.host) || ${handler}.tcpSocket.host == '')`

const probeRules: ReadonlyArray<Rule> = ["livenessProbe", "readinessProbe", "startupProbe"].map((probe) => ({
  expression: containers((c) => `!has(${c}.${probe}) || (${ownHost(`${c}.${probe}`)})`),
  message: `spec.containers[*].${probe}: a probe's host is the pod itself`
}))

const hookRules: ReadonlyArray<Rule> = ["postStart", "preStop"].map((hook) => ({
  expression: containers(
    (c) => `!has(${c}.lifecycle) || !has(${c}.lifecycle.${hook}) || (${ownHost(`${c}.lifecycle.${hook}`)})`
  ),
  message: `spec.containers[*].lifecycle.${hook}: a hook's host is the pod itself`
}))

const isSet = (field: string): string => `has(${field}) && ${field} != ''`

const seLinux = (context: string): string => {
  const options = `${context}.seLinuxOptions`
  const type = `!has(${options}.type) || ${options}.type in ${listOf(BASELINE_SELINUX_TYPES)}`
  return `!has(${options}) || ((${type}) && !(${isSet(`${options}.user`)}) && !(${isSet(`${options}.role`)}))`
}

/** The rules for a pod as `object`. */
export const podRules: ReadonlyArray<Rule> = [
  ...hostRules,
  {
    expression: `${absent("object.spec.volumes")} || object.spec.volumes.all(v, !has(v.hostPath))`,
    message: "spec.volumes[*].hostPath: a tenant's pod sees nothing of its node's disk"
  },
  {
    expression: contexts((context) => `!has(${context}.privileged) || !${context}.privileged`, false),
    message: "spec.containers[*].securityContext.privileged: must not be true"
  },
  {
    expression: contexts(
      (context) =>
        `!has(${context}.capabilities) || !has(${context}.capabilities.add) || ${context}.capabilities.add.all(a, a in ${listOf(BASELINE_CAPABILITIES)})`,
      false
    ),
    message: "spec.containers[*].securityContext.capabilities.add: only what containers have by themselves"
  },
  {
    expression: contexts((context) => `!has(${context}.procMount) || ${context}.procMount == 'Default'`, false),
    message: "spec.containers[*].securityContext.procMount: must be Default"
  },
  {
    expression: contexts(
      (context) => `!has(${context}.seccompProfile) || ${context}.seccompProfile.type != 'Unconfined'`,
      true
    ),
    message: "securityContext.seccompProfile.type: must not be Unconfined"
  },
  {
    expression: contexts(
      (context) => `!has(${context}.appArmorProfile) || ${context}.appArmorProfile.type != 'Unconfined'`,
      true
    ),
    message: "securityContext.appArmorProfile.type: must not be Unconfined"
  },
  {
    expression:
      "!has(object.metadata.annotations) || !object.metadata.annotations.exists(k, k.startsWith('container.apparmor.security.beta.kubernetes.io/') && object.metadata.annotations[k] == 'unconfined')",
    message: "metadata.annotations: AppArmor must not be unconfined"
  },
  {
    expression: contexts(seLinux, true),
    message: "securityContext.seLinuxOptions: no user or role, and a type that containers have by themselves"
  },
  {
    expression: contexts(
      (context) =>
        `!has(${context}.windowsOptions) || !has(${context}.windowsOptions.hostProcess) || !${context}.windowsOptions.hostProcess`,
      true
    ),
    message: "securityContext.windowsOptions.hostProcess: must not be true"
  },
  {
    expression: `${absent("object.spec.securityContext")} || !has(object.spec.securityContext.sysctls) || object.spec.securityContext.sysctls.all(s, s.name in ${listOf(BASELINE_SYSCTLS)})`,
    message: "spec.securityContext.sysctls: only what Kubernetes calls safe"
  },
  {
    expression: containers((c) => `!has(${c}.ports) || ${c}.ports.all(p, !has(p.hostPort) || p.hostPort == 0)`),
    message: "spec.containers[*].ports[*].hostPort: the node's ports are not a tenant's"
  },
  {
    expression: "!has(object.spec.priorityClassName) || !object.spec.priorityClassName.startsWith('system-')",
    message: "spec.priorityClassName: the system's classes are not a tenant's"
  },
  ...probeRules,
  ...hookRules
]
