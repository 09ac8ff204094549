// Namespaces: they end in two steps, and what is in them goes first.
// Owns their phases and finalizers; refuses to delete what they hold, which a controller does. Source: kubernetes
// pkg/registry/core/namespace.
import { type Json, type KubeObject, Names } from "#kube"
import type { Definition, Draft } from "../../Definition.ts"
import { ageColumn, column, nameColumn } from "../Columns.ts"
import { define, partStrategy } from "../Define.ts"
import { fieldsOf, textOf, textsOf } from "../Fields.ts"
import { labelName } from "../Meta.ts"
import { invalid, invalidEach, type Problems } from "../Problems.ts"

const OWN = "kubernetes"
const NAME_LABEL = "kubernetes.io/metadata.name"

const defaults = (draft: Draft): void => {
  const { labels, name = "" } = draft.metadata
  if (name !== "" && labels?.[NAME_LABEL] !== name) draft.metadata.labels = { ...labels, [NAME_LABEL]: name }
}

const finalizersOf = (object: KubeObject): ReadonlyArray<string> => textsOf(fieldsOf(object.spec)["finalizers"])

const prepareForCreate = (draft: Draft): undefined => {
  const given = textsOf(draft.spec?.["finalizers"])
  draft.spec = { ...draft.spec, finalizers: given.includes(OWN) ? given : [...given, OWN] }
  return undefined
}

const checkFinalizers = (namespace: KubeObject, path: (at: number) => string, problems: Problems): void =>
  finalizersOf(namespace).forEach((one, at) => {
    invalidEach(path(at), one, Names.qualifiedName(one), problems)
    const standard = [OWN, "orphan", "foregroundDeletion"]
    if (one.includes("/") || standard.includes(one)) return
    problems.push(invalid(path(at), one, "name is neither a standard finalizer name nor is it fully qualified"))
  })

const checkStatus = (namespace: KubeObject, _old: KubeObject, problems: Problems): void => {
  const phase = textOf(fieldsOf(namespace.status)["phase"])
  const ending = namespace.metadata.deletionTimestamp !== undefined
  if (!ending && phase !== "Active") {
    problems.push(invalid("status.Phase", phase, "may only be 'Active' if `deletionTimestamp` is empty"))
  }
  if (ending && phase !== "Terminating") {
    problems.push(invalid("status.Phase", phase, "may only be 'Terminating' if `deletionTimestamp` is not empty"))
  }
}

const statusDefaults = (draft: Draft): void => {
  if (textOf(draft.status?.["phase"]) === "") draft.status = { ...draft.status, phase: "Active" }
}

/** Of an update through `finalize` only the finalizers of the spec are taken. */
const prepareFinalize = (draft: Draft, old: KubeObject): undefined => {
  draft.status = old.status as { [field: string]: Json | undefined }
  draft.spec = { ...fieldsOf(old.spec), finalizers: textsOf(draft.spec?.["finalizers"]) }
  return undefined
}

const prepareForUpdate = (draft: Draft, old: KubeObject): undefined => {
  draft.spec = { ...draft.spec, finalizers: finalizersOf(old) }
  return undefined
}

const phaseOf = ({ status }: KubeObject): string => textOf(fieldsOf(status)["phase"])

/** The definition of namespaces. */
export const namespaces = (): Definition =>
  define("", "v1", "Namespace", {
    name: labelName,
    defaults,
    initialStatus: () => ({ phase: "Active" }),
    prepareForCreate,
    prepareForUpdate,
    check: (namespace, problems) => checkFinalizers(namespace, () => "spec.finalizers", problems),
    status: { defaults: statusDefaults, check: checkStatus },
    strategy: {
      prepareForDelete: (draft) => {
        draft.status = { ...draft.status, phase: "Terminating" }
      },
      heldBack: (namespace) => finalizersOf(namespace).length > 0,
      returnsDeleted: true
    },
    columns: [nameColumn, column("Status", phaseOf), ageColumn],
    selectableFields: { "status.phase": phaseOf, name: ({ metadata }) => metadata.name ?? "" },
    subresources: {
      finalize: {
        type: "part",
        verbs: ["update"],
        strategy: partStrategy(prepareFinalize, (namespace, _old, problems) =>
          checkFinalizers(namespace, (at) => `spec.finalizers[${at}]`, problems)
        )
      }
    }
  })
