// StatefulSets, DaemonSets, ReplicationControllers and ControllerRevisions.
// Owns their strategies; refuses to make pods. Source: kubernetes pkg/registry/apps, pkg/registry/core/replicationcontroller.
import { controllerOf, type KubeObject, Names, parseApiVersion, sameJson } from "#kube"
import type { Column, Definition, Draft } from "../../Definition.ts"
import { ageColumn, column, counted, labelsText, nameColumn, wide } from "../Columns.ts"
import { checkClaimSpec } from "../corev1/ClaimRules.ts"
import { withTemplate } from "../corev1/PodDefaults.ts"
import { checkTemplate } from "../corev1/PodRules.ts"
import { define } from "../Define.ts"
import {
  defaulted,
  type Fields,
  fieldsIn,
  fieldsOf,
  isZero,
  itemsOf,
  mapOf,
  numberOf,
  textOf,
  withField,
  withItems,
  zeroDefaulted
} from "../Fields.ts"
import { checkImmutable, labelName } from "../Meta.ts"
import { forbidden, invalid, invalidEach, notNegative, notSupported, type Problems, required } from "../Problems.ts"
import { selectorText } from "../Selectors.ts"
import { checkSelectorKept, replicaColumns, scale, templateColumns } from "./Deployments.ts"
import {
  checkAmountOrPercent,
  checkAtMostAll,
  checkCollisions,
  checkCounts,
  checkLastingTemplate,
  checkReplicaStatus,
  checkWorkloadSelector,
  magnitude,
  type TemplateRule
} from "./WorkloadRules.ts"

const setSpec = (draft: Draft, spec: Fields): void => {
  if (spec !== draft.spec) draft.spec = spec
}

const STATEFUL: TemplateRule = { kind: "StatefulSet", emptyFor: "statefulset" }
const STATEFUL_SPEC: Fields = Object.freeze({ replicas: 1, revisionHistoryLimit: 10 })
const RETAIN: Fields = Object.freeze({ whenDeleted: "Retain", whenScaled: "Retain" })

const ROLLING_SET: Fields = Object.freeze({ partition: 0, maxUnavailable: 1 })

const statefulStrategy = (given: unknown): Fields => {
  const strategy = fieldsOf(given)
  if (textOf(strategy["type"]) === "") return { rollingUpdate: ROLLING_SET, ...strategy, type: "RollingUpdate" }
  const rolling = fieldsIn(strategy["rollingUpdate"])
  if (strategy["type"] !== "RollingUpdate" || rolling === undefined) return strategy
  return withField(strategy, "rollingUpdate", defaulted(rolling, ROLLING_SET))
}

const claimTemplate = (claim: Fields): Fields => {
  const spec = defaulted(fieldsOf(claim["spec"]), { volumeMode: "Filesystem" })
  const typed = defaulted(claim, { apiVersion: "v1", kind: "PersistentVolumeClaim" })
  return defaulted(withField(typed, "spec", spec), { status: { phase: "Pending" } })
}

const statefulDefaults = (draft: Draft): void => {
  let spec = zeroDefaulted(defaulted(fieldsOf(draft.spec), STATEFUL_SPEC), { podManagementPolicy: "OrderedReady" })
  spec = withField(spec, "updateStrategy", statefulStrategy(spec["updateStrategy"]))
  const policy = "persistentVolumeClaimRetentionPolicy"
  spec = withField(spec, policy, zeroDefaulted(fieldsOf(spec[policy]), RETAIN))
  if (spec["volumeClaimTemplates"] !== undefined) spec = withItems(spec, "volumeClaimTemplates", claimTemplate)
  setSpec(draft, withTemplate(spec))
}

const checkStatefulStrategy = (strategy: Fields, problems: Problems): void => {
  const path = "spec.updateStrategy"
  const rolling = fieldsIn(strategy["rollingUpdate"])
  if (strategy["type"] === "RollingUpdate") {
    if (rolling === undefined) return
    notNegative(`${path}.rollingUpdate.partition`, rolling["partition"], problems)
    const { maxUnavailable } = rolling
    if (maxUnavailable === undefined) return
    const place = `${path}.rollingUpdate.maxUnavailable`
    checkAmountOrPercent(maxUnavailable, place, problems)
    if (magnitude(maxUnavailable) === 0) problems.push(invalid(place, maxUnavailable, "cannot be 0"))
    checkAtMostAll(maxUnavailable, place, problems)
  } else if (strategy["type"] === "OnDelete") {
    if (rolling === undefined) return
    const why = "only allowed for updateStrategy 'RollingUpdate'"
    problems.push(invalid(`${path}.rollingUpdate`, rolling, why))
  } else problems.push(invalid(path, strategy, "must be 'RollingUpdate' or 'OnDelete'"))
}

/** The spec with the volumes that its claims will bring. */
const withClaims = (spec: Fields): Fields => {
  const names = itemsOf(spec["volumeClaimTemplates"]).map((claim) => textOf(fieldsOf(claim["metadata"])["name"]))
  if (names.length === 0) return spec
  const template = fieldsOf(spec["template"])
  const pod = fieldsOf(template["spec"])
  const claims = names.map((name) => ({ name, persistentVolumeClaim: { claimName: name } }))
  const own = itemsOf(pod["volumes"]).filter((volume) => !names.includes(textOf(volume["name"])))
  return { ...spec, template: { ...template, spec: { ...pod, volumes: [...claims, ...own] } } }
}

const checkStateful = (set: KubeObject, problems: Problems): void => {
  const spec = fieldsOf(set.spec)
  const management = textOf(spec["podManagementPolicy"])
  if (management !== "OrderedReady" && management !== "Parallel") {
    problems.push(invalid("spec.podManagementPolicy", management, "must be 'OrderedReady' or 'Parallel'"))
  }
  checkStatefulStrategy(fieldsOf(spec["updateStrategy"]), problems)
  const retention = fieldsOf(spec["persistentVolumeClaimRetentionPolicy"])
  for (const field of ["whenDeleted", "whenScaled"]) {
    const value = textOf(retention[field])
    if (value === "Retain" || value === "Delete") continue
    problems.push(notSupported(`spec.persistentVolumeClaimRetentionPolicy.${field}`, value, ["Retain", "Delete"]))
  }
  itemsOf(spec["volumeClaimTemplates"]).forEach((claim, at) =>
    checkClaimSpec(fieldsOf(claim["spec"]), `spec.volumeClaimTemplates[${at}].spec`, problems)
  )
  checkCounts(spec, "spec", ["replicas", "minReadySeconds"], problems)
  notNegative("spec.ordinals.start", fieldsOf(spec["ordinals"])["start"], problems)
  const service = textOf(spec["serviceName"])
  if (service !== "") invalidEach("spec.serviceName", service, Names.dnsLabel(service), problems)
  if (checkWorkloadSelector(spec, STATEFUL, problems)) checkLastingTemplate(withClaims(spec), STATEFUL, problems)
}

const FIXED = ["selector", "volumeClaimTemplates", "serviceName", "podManagementPolicy"]

const checkStatefulUpdate = (set: KubeObject, old: KubeObject, problems: Problems): void => {
  const now = fieldsOf(set.spec)
  const before = fieldsOf(old.spec)
  for (const field of FIXED) checkImmutable(`spec.${field}`, now[field], before[field], problems)
}

const ready = ({ spec, status }: KubeObject): string =>
  `${numberOf(fieldsOf(status)["readyReplicas"])}/${numberOf(fieldsOf(spec)["replicas"])}`

/** The definition of stateful sets. */
export const statefulSets = (): Definition =>
  define("apps", "v1", "StatefulSet", {
    name: labelName,
    defaults: statefulDefaults,
    initialStatus: () => ({ replicas: 0, availableReplicas: 0 }),
    check: checkStateful,
    checkUpdate: checkStatefulUpdate,
    generation: ["spec"],
    status: {
      check: ({ status }, old, problems) => {
        checkReplicaStatus(fieldsOf(status), "status.readyReplicas", problems)
        checkCollisions(fieldsOf(status), fieldsOf(old.status), problems)
      }
    },
    columns: [nameColumn, column("Ready", ready), ageColumn, ...templateColumns],
    subresources: { scale }
  })

const DAEMON: TemplateRule = { kind: "DaemonSet", emptyFor: "daemonset" }

const daemonStrategy = (given: unknown): Fields => {
  const strategy = zeroDefaulted(fieldsOf(given), { type: "RollingUpdate" })
  if (strategy["type"] !== "RollingUpdate") return strategy
  const rolling = defaulted(fieldsOf(strategy["rollingUpdate"]), { maxUnavailable: 1, maxSurge: 0 })
  return withField(strategy, "rollingUpdate", rolling)
}

const daemonDefaults = (draft: Draft): void => {
  const spec = defaulted(fieldsOf(draft.spec), { revisionHistoryLimit: 10 })
  setSpec(draft, withTemplate(withField(spec, "updateStrategy", daemonStrategy(spec["updateStrategy"]))))
}

const GENERATION = "deprecated.daemonset.template.generation"

/** The generation of the template, kept where it always was: in an annotation. */
const setTemplateGeneration = (draft: Draft, generation: number): void => {
  draft.metadata.annotations = { ...draft.metadata.annotations, [GENERATION]: String(generation) }
}

const prepareDaemon = (draft: Draft, old: KubeObject): undefined => {
  const before = Number(old.metadata.annotations?.[GENERATION] ?? "0")
  const template = fieldsOf(old.spec)["template"]
  const changed = !sameJson(fieldsOf(draft.spec)["template"], template)
  const wanted = changed ? before + 1 : before
  if (draft.metadata.annotations?.[GENERATION] !== String(wanted)) setTemplateGeneration(draft, wanted)
  return undefined
}

const checkDaemonStrategy = (strategy: Fields, problems: Problems): void => {
  const path = "spec.updateStrategy"
  if (strategy["type"] === "OnDelete") return
  if (strategy["type"] !== "RollingUpdate") {
    return void problems.push(notSupported(path, { ...strategy }, ["RollingUpdate", "OnDelete"]))
  }
  const { maxSurge, maxUnavailable } = fieldsOf(strategy["rollingUpdate"])
  const unavailable = `${path}.rollingUpdate.maxUnavailable`
  const surge = `${path}.rollingUpdate.maxSurge`
  checkAmountOrPercent(maxUnavailable, unavailable, problems)
  checkAtMostAll(maxUnavailable, unavailable, problems)
  checkAmountOrPercent(maxSurge, surge, problems)
  checkAtMostAll(maxSurge, surge, problems)
  const hasUnavailable = magnitude(maxUnavailable) !== 0
  const hasSurge = magnitude(maxSurge) !== 0
  if (!hasUnavailable && !hasSurge) problems.push(required(unavailable, "cannot be 0 when maxSurge is 0"))
  if (hasUnavailable && hasSurge) {
    problems.push(invalid(surge, maxSurge, "may not be set when maxUnavailable is non-zero"))
  }
}

const checkDaemon = (set: KubeObject, problems: Problems): void => {
  const spec = fieldsOf(set.spec)
  if (checkWorkloadSelector(spec, DAEMON, problems)) checkLastingTemplate(spec, DAEMON, problems)
  checkCounts(spec, "spec", ["minReadySeconds"], problems)
  checkDaemonStrategy(fieldsOf(spec["updateStrategy"]), problems)
  checkCounts(spec, "spec", ["revisionHistoryLimit"], problems)
}

const DAEMON_COUNTS = [
  "currentNumberScheduled",
  "numberMisscheduled",
  "desiredNumberScheduled",
  "numberReady",
  "observedGeneration",
  "updatedNumberScheduled",
  "numberAvailable",
  "numberUnavailable"
]

const statusOf = ({ status }: KubeObject): unknown => status

const daemonColumns: ReadonlyArray<Column> = [
  nameColumn,
  counted("Desired", statusOf, "desiredNumberScheduled"),
  counted("Current", statusOf, "currentNumberScheduled"),
  counted("Ready", statusOf, "numberReady"),
  counted("Up-to-date", statusOf, "updatedNumberScheduled"),
  counted("Available", statusOf, "numberAvailable"),
  column("Node Selector", ({ spec }) =>
    labelsText(mapOf(fieldsOf(fieldsOf(fieldsOf(spec)["template"])["spec"])["nodeSelector"]))
  ),
  ageColumn,
  ...templateColumns,
  wide("Selector", ({ spec }) => selectorText(fieldsOf(spec)["selector"], "<none>"))
]

/** The definition of daemon sets. */
export const daemonSets = (): Definition =>
  define("apps", "v1", "DaemonSet", {
    defaults: daemonDefaults,
    initialStatus: () => ({
      currentNumberScheduled: 0,
      numberMisscheduled: 0,
      desiredNumberScheduled: 0,
      numberReady: 0
    }),
    prepareForCreate: (draft) => {
      setTemplateGeneration(draft, 1)
      return undefined
    },
    prepareForUpdate: prepareDaemon,
    check: checkDaemon,
    checkUpdate: checkSelectorKept,
    generation: ["spec"],
    status: { check: ({ status }, _old, problems) => checkCounts(fieldsOf(status), "status", DAEMON_COUNTS, problems) },
    columns: daemonColumns
  })

const controllerDefaults = (draft: Draft): void => {
  let spec = defaulted(fieldsOf(draft.spec), { replicas: 1 })
  const labels = fieldsIn(fieldsOf(fieldsOf(spec["template"])["metadata"])["labels"])
  if (labels !== undefined) {
    if (isZero(spec["selector"])) spec = withField(spec, "selector", labels)
    if (isZero(draft.metadata.labels)) draft.metadata.labels = mapOf(labels)
  }
  setSpec(draft, withTemplate(spec))
}

const checkController = (controller: KubeObject, problems: Problems): void => {
  const spec = fieldsOf(controller.spec)
  checkCounts(spec, "spec", ["minReadySeconds"], problems)
  const selector = mapOf(spec["selector"])
  if (Object.keys(selector).length === 0) problems.push(required("spec.selector"))
  checkCounts(spec, "spec", ["replicas"], problems)
  const template = fieldsIn(spec["template"])
  if (template === undefined) return void problems.push(required("spec.template"))
  const labels = mapOf(fieldsOf(template["metadata"])["labels"])
  if (Object.keys(selector).some((key) => labels[key] !== selector[key])) {
    const why = "`selector` does not match template `labels`"
    problems.push(invalid("spec.template.metadata.labels", { ...labels }, why))
  }
  checkTemplate(template, "spec.template", problems)
  if (fieldsOf(template["spec"])["activeDeadlineSeconds"] !== undefined) {
    const why = "activeDeadlineSeconds in ReplicationController is not Supported"
    problems.push(forbidden("spec.template.spec.activeDeadlineSeconds", why))
  }
  const policy = textOf(fieldsOf(template["spec"])["restartPolicy"])
  if (policy !== "Always") problems.push(notSupported("spec.template.spec.restartPolicy", policy, ["Always"]))
}

/** The definition of replication controllers. */
export const replicationControllers = (): Definition =>
  define("", "v1", "ReplicationController", {
    defaults: controllerDefaults,
    initialStatus: () => ({ replicas: 0 }),
    check: checkController,
    generation: ["spec"],
    status: { check: ({ status }, _old, problems) => checkReplicaStatus(fieldsOf(status), "readyReplicas", problems) },
    strategy: { defaultPropagation: "Orphan" },
    columns: [...replicaColumns, wide("Selector", ({ spec }) => labelsText(mapOf(fieldsOf(spec)["selector"])))],
    selectableFields: { "status.replicas": ({ status }) => String(numberOf(fieldsOf(status)["replicas"])) },
    subresources: { scale },
    storage: { prefix: "/registry/controllers/" }
  })

const controllerText = (revision: KubeObject): string => {
  const owner = controllerOf(revision)
  if (owner === undefined) return "<none>"
  const { group } = parseApiVersion(owner.apiVersion)
  return `${(group === "" ? owner.kind : `${owner.kind}.${group}`).toLowerCase()}/${owner.name}`
}

/** The definition of controller revisions. */
export const controllerRevisions = (): Definition =>
  define("apps", "v1", "ControllerRevision", {
    check: (revision, problems) => {
      notNegative("revision", revision["revision"], problems)
      const isNew = revision.metadata.resourceVersion === undefined
      if (!isNew) return
      if (revision["data"] === undefined || revision["data"] === null) {
        problems.push(required("data", "data is mandatory"))
      } else if (fieldsIn(revision["data"]) === undefined) {
        problems.push(required("data", "data must be a valid JSON object"))
      }
    },
    checkUpdate: (revision, old, problems) => checkImmutable("data", revision["data"], old["data"], problems),
    columns: [
      nameColumn,
      column("Controller", controllerText),
      column("Revision", (revision) => numberOf(revision["revision"])),
      ageColumn
    ]
  })
