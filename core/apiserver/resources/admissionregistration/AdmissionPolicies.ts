// Admission policies and their bindings: kept and shown, never asked.
// Owns their columns; refuses to evaluate any expression.
import type { KubeObject } from "#kube"
import type { Definition } from "../../Definition.ts"
import { ageColumn, column, nameColumn } from "../Columns.ts"
import { define } from "../Define.ts"
import { fieldsIn, fieldsOf, itemsOf, textOf } from "../Fields.ts"
import { selectorText } from "../Selectors.ts"

const GROUP = "admissionregistration.k8s.io"

const parameterKind = ({ spec }: KubeObject): string => {
  const kind = fieldsIn(fieldsOf(spec)["paramKind"])
  return kind === undefined ? "<unset>" : `${textOf(kind["apiVersion"])}/${textOf(kind["kind"])}`
}

const policy = (kind: string, heading: string, field: string): Definition =>
  define(GROUP, "v1", kind, {
    generation: ["spec"],
    status: { keepsMetadata: true },
    columns: [
      nameColumn,
      column(heading, ({ spec }) => itemsOf(fieldsOf(spec)[field]).length, "integer"),
      column("ParamKind", parameterKind),
      ageColumn
    ]
  })

const parameter = ({ spec }: KubeObject): string => {
  const reference = fieldsIn(fieldsOf(spec)["paramRef"])
  const name = textOf(reference?.["name"])
  if (name !== "") return `${textOf(reference?.["namespace"]) || "*"}/${name}`
  const selector = reference?.["selector"]
  return selector === undefined ? "<unset>" : selectorText(selector, "")
}

const binding = (kind: string): Definition =>
  define(GROUP, "v1", kind, {
    generation: ["spec"],
    columns: [
      nameColumn,
      column("PolicyName", ({ spec }) => textOf(fieldsOf(spec)["policyName"])),
      column("ParamRef", parameter),
      ageColumn
    ]
  })

/** The definitions of all four. */
export const admissionPolicies = (): ReadonlyArray<Definition> => [
  policy("ValidatingAdmissionPolicy", "Validations", "validations"),
  binding("ValidatingAdmissionPolicyBinding"),
  policy("MutatingAdmissionPolicy", "Mutations", "mutations"),
  binding("MutatingAdmissionPolicyBinding")
]
