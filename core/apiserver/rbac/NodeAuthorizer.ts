// Nodes (system:node:<name> in system:nodes) may do what their own pods need.
// Owns which objects belong to a node's pods, found by looking at those pods; refuses what is not a node's.
// What a node writes of itself is checked further by the admission plugin NodeRestriction.
import type { AccessAttributes, AccessDecision, Authorizer } from "../Access.ts"
import type { Api, ResourceView } from "../Api.ts"
import type { UserInfo } from "../Request.ts"
import { fieldsOf, itemsOf, textOf } from "../resources/Fields.ts"
import { ruleAllows, rulesOf } from "./PolicyRule.ts"
import { RBAC_GROUP } from "./RbacIndex.ts"

type ResourceAttributes = Extract<AccessAttributes, { readonly resourceRequest: true }>
type Fields = ReturnType<typeof fieldsOf>

const ALLOWED: AccessDecision = { allowed: true, reason: "" }
const refused = (reason: string): AccessDecision => ({ allowed: false, reason })
const NO_OPINION = refused("")

const NODE_USER = "system:node:"

/** The node that a user is; "" for one that hides its name, undefined for who is no node. */
export const nodeOf = ({ groups, name }: UserInfo): string | undefined =>
  name.startsWith(NODE_USER) && groups.includes("system:nodes") ? name.slice(NODE_USER.length) : undefined

const OWN_VERBS: ReadonlySet<string> = new Set(["get", "create", "update", "patch", "delete"])

const usesSecret = (volume: Fields, name: string): boolean =>
  fieldsOf(volume["secret"])["secretName"] === name ||
  itemsOf(fieldsOf(volume["projected"])["sources"]).some((source) => fieldsOf(source["secret"])["name"] === name) ||
  ["cephfs", "rbd", "flexVolume", "scaleIO", "iscsi", "storageos", "csi"].some((type) => {
    const fields = fieldsOf(volume[type])
    return [fields["secretRef"], fields["nodePublishSecretRef"]].some(
      (reference) => fieldsOf(reference)["name"] === name
    )
  })

const usesConfigMap = (volume: Fields, name: string): boolean =>
  fieldsOf(volume["configMap"])["name"] === name ||
  itemsOf(fieldsOf(volume["projected"])["sources"]).some((source) => fieldsOf(source["configMap"])["name"] === name)

/** Whether containers take their environment from a secret or config map. */
const usedInEnvironment = (spec: Fields, reference: "secret" | "configMap", name: string): boolean =>
  [spec["containers"], spec["initContainers"], spec["ephemeralContainers"]]
    .flatMap((containers) => [...itemsOf(containers)])
    .some(
      (container) =>
        itemsOf(container["env"]).some(
          (variable) => fieldsOf(fieldsOf(variable["valueFrom"])[`${reference}KeyRef`])["name"] === name
        ) || itemsOf(container["envFrom"]).some((source) => fieldsOf(source[`${reference}Ref`])["name"] === name)
    )

type Uses = (spec: Fields, name: string, pod: string) => boolean

const USES: Readonly<Record<string, Uses>> = {
  secrets: (spec, name) =>
    itemsOf(spec["imagePullSecrets"]).some((reference) => reference["name"] === name) ||
    itemsOf(spec["volumes"]).some((volume) => usesSecret(volume, name)) ||
    usedInEnvironment(spec, "secret", name),
  configmaps: (spec, name) =>
    itemsOf(spec["volumes"]).some((volume) => usesConfigMap(volume, name)) ||
    usedInEnvironment(spec, "configMap", name),
  persistentvolumeclaims: (spec, name, pod) =>
    itemsOf(spec["volumes"]).some(
      (volume) =>
        fieldsOf(volume["persistentVolumeClaim"])["claimName"] === name ||
        (volume["ephemeral"] !== undefined && name === `${pod}-${textOf(volume["name"])}`)
    ),
  serviceaccounts: (spec, name) => spec["serviceAccountName"] === name
}

export class NodeAuthorizer implements Authorizer {
  private readonly pods: ResourceView
  private readonly volumes: ResourceView
  private readonly attachments: ResourceView
  private readonly clusterRoles: ResourceView

  constructor(api: Api) {
    this.pods = api.view("", "pods")
    this.volumes = api.view("", "persistentvolumes")
    this.attachments = api.view("storage.k8s.io", "volumeattachments")
    this.clusterRoles = api.view(RBAC_GROUP, "clusterroles")
  }

  authorize(attributes: AccessAttributes): AccessDecision {
    const node = nodeOf(attributes.user)
    if (node === undefined) return NO_OPINION
    if (node === "") return refused(`unknown node for user ${JSON.stringify(attributes.user.name)}`)
    const special = attributes.resourceRequest ? this.special(node, attributes) : undefined
    if (special !== undefined) return special
    const role = this.clusterRoles.get("", "system:node")
    return rulesOf(role?.["rules"]).some((rule) => ruleAllows(rule, attributes)) ? ALLOWED : NO_OPINION
  }

  /** The decision about what is not the same for all nodes; undefined for the rest. */
  private special(node: string, attributes: ResourceAttributes): AccessDecision | undefined {
    const { group, resource } = attributes
    switch (group === "" ? resource : `${resource}.${group}`) {
      case "secrets":
      case "configmaps":
        return ofOwnPods(attributes, ["get", "list", "watch"], () => this.isUsed(node, attributes), node)
      case "persistentvolumeclaims":
        return attributes.subresource === "status"
          ? ofOwnPods(
              { ...attributes, subresource: "" },
              ["update", "patch"],
              () => this.isUsed(node, attributes),
              node
            )
          : ofOwnPods(attributes, ["get"], () => this.isUsed(node, attributes), node)
      case "persistentvolumes":
        return ofOwnPods(attributes, ["get"], () => this.isMounted(node, attributes.name), node)
      case "volumeattachments.storage.k8s.io":
        return ofOwnPods(attributes, ["get"], () => this.isAttached(node, attributes.name), node)
      case "serviceaccounts":
        return attributes.subresource === "token"
          ? ofOwnPods({ ...attributes, subresource: "" }, ["create"], () => this.isUsed(node, attributes), node)
          : ofOwnPods(attributes, ["get", "list", "watch"], () => this.isUsed(node, attributes), node)
      case "leases.coordination.k8s.io":
        return ownNamed(node, attributes, "kube-node-lease", "a node lease", "node lease")
      case "csinodes.storage.k8s.io":
        return ownNamed(node, attributes, "", "a CSINode", "CSINode")
      case "nodes":
        return nodeRead(node, attributes)
      case "pods":
        return this.podAccess(node, attributes)
      default:
        return undefined
    }
  }

  /** Whether a pod of the node, in the object's namespace, uses the object. */
  private isUsed(node: string, { name, namespace, resource }: ResourceAttributes): boolean {
    const uses = USES[resource]
    return this.pods.list(namespace).some((pod) => {
      const spec = fieldsOf(pod.spec)
      return spec["nodeName"] === node && uses?.(spec, name, pod.metadata.name ?? "") === true
    })
  }

  private isMounted(node: string, name: string): boolean {
    const claim = fieldsOf(fieldsOf(this.volumes.get("", name)?.spec)["claimRef"])
    const [namespace, claimName] = [textOf(claim["namespace"]), textOf(claim["name"])]
    return this.pods.list(namespace).some((pod) => {
      const spec = fieldsOf(pod.spec)
      return (
        spec["nodeName"] === node && USES["persistentvolumeclaims"]?.(spec, claimName, pod.metadata.name ?? "") === true
      )
    })
  }

  private isAttached(node: string, name: string): boolean {
    return fieldsOf(this.attachments.get("", name)?.spec)["nodeName"] === node
  }

  private podAccess(node: string, attributes: ResourceAttributes): AccessDecision {
    const { name, namespace, subresource, verb } = attributes
    if (subresource === "status") return verb === "update" || verb === "patch" ? ALLOWED : NO_OPINION
    if (subresource === "eviction") return verb === "create" ? ALLOWED : NO_OPINION
    if (subresource !== "") return NO_OPINION
    if (verb === "create" || verb === "delete") return ALLOWED
    if (verb !== "get" && verb !== "list" && verb !== "watch") return NO_OPINION
    if (verb !== "get" && selectsNode(attributes.fieldSelector, node)) return ALLOWED
    if (name === "") return refused("can only list/watch pods with spec.nodeName field selector")
    return fieldsOf(this.pods.get(namespace, name)?.spec)["nodeName"] === node ? ALLOWED : unrelated(node)
  }
}

const selectsNode = (selector: string | undefined, node: string): boolean =>
  selector?.split(",").some((part) => part === `spec.nodeName=${node}` || part === `spec.nodeName==${node}`) ?? false

const unrelated = (node: string): AccessDecision =>
  refused(`no relationship found between node '${node}' and this object`)

const ofOwnPods = (
  { name, subresource, verb }: ResourceAttributes,
  verbs: ReadonlyArray<string>,
  isOwn: () => boolean,
  node: string
): AccessDecision => {
  if (!verbs.includes(verb)) return refused(`can only ${verbs.join(", ")} resources of this type`)
  if (subresource !== "") return refused("cannot read subresource")
  if (name === "") return refused("No Object name found")
  return isOwn() ? ALLOWED : unrelated(node)
}

/** Objects that carry the node's own name. */
const ownNamed = (
  node: string,
  { name, namespace, verb }: ResourceAttributes,
  home: string,
  one: string,
  title: string
): AccessDecision => {
  if (!OWN_VERBS.has(verb)) return refused(`can only get, create, update, patch, or delete ${one}`)
  if (namespace !== home) return refused(`can only access leases in the ${JSON.stringify(home)} system namespace`)
  // The name of what is being created is not known here; NodeRestriction checks it.
  return verb === "create" || name === node
    ? ALLOWED
    : refused(`can only access ${title} with the same name as the requesting node`)
}

const nodeRead = (node: string, { name, subresource, verb }: ResourceAttributes): AccessDecision => {
  const writes = verb === "update" || verb === "patch"
  if (subresource === "status") return writes ? ALLOWED : NO_OPINION
  if (subresource !== "") return NO_OPINION
  if (writes || verb === "create") return ALLOWED
  if (verb !== "get" && verb !== "list" && verb !== "watch") return NO_OPINION
  if (name === node) return ALLOWED
  return refused(
    name === ""
      ? `node '${node}' cannot read all nodes, only its own Node object`
      : `node '${node}' cannot read '${name}', only its own Node object`
  )
}
