// Flow schemas and priority levels: how a server shares its hands among those who ask.
// Owns their defaults and columns; refuses to queue anybody. Source: kubernetes pkg/apis/flowcontrol.
import type { KubeObject } from "#kube"
import type { Definition, Draft } from "../../Definition.ts"
import { ageColumn, column, nameColumn } from "../Columns.ts"
import { define } from "../Define.ts"
import {
  defaulted,
  type Fields,
  fieldsIn,
  fieldsOf,
  itemsOf,
  numberOf,
  textOf,
  withPart,
  zeroDefaulted
} from "../Fields.ts"
import { forbidden, invalid, notSupported, type Problems, required } from "../Problems.ts"

const GROUP = "flowcontrol.apiserver.k8s.io"
const EXEMPT: Fields = Object.freeze({ nominalConcurrencyShares: 0, lendablePercent: 0 })
const LIMITED: Fields = Object.freeze({ nominalConcurrencyShares: 30, lendablePercent: 0 })
const QUEUING: Fields = Object.freeze({ handSize: 8, queues: 64, queueLengthLimit: 50 })

const specOf = ({ spec }: KubeObject): Fields => fieldsOf(spec)

const checkSchema = (object: KubeObject, problems: Problems): void => {
  const spec = specOf(object)
  const precedence = numberOf(spec["matchingPrecedence"])
  const exempt = object.metadata.name === "exempt"
  if (precedence <= 0) {
    problems.push(invalid("spec.matchingPrecedence", precedence, "must be a positive value"))
  }
  if (precedence > 10_000) {
    problems.push(invalid("spec.matchingPrecedence", precedence, "must not be greater than 10000"))
  }
  if (precedence === 1 && !exempt) {
    problems.push(
      invalid("spec.matchingPrecedence", precedence, "only the schema named 'exempt' may have matchingPrecedence 1")
    )
  }
  const method = fieldsIn(spec["distinguisherMethod"])
  const type = textOf(method?.["type"])
  if (method !== undefined && type !== "ByNamespace" && type !== "ByUser") {
    problems.push(notSupported("spec.distinguisherMethod.type", type, ["ByNamespace", "ByUser"]))
  }
  if (textOf(fieldsOf(spec["priorityLevelConfiguration"])["name"]) === "") {
    problems.push(required("spec.priorityLevelConfiguration.name", "must reference a priority level"))
  }
}

const danglingText = ({ status }: KubeObject): string =>
  textOf(itemsOf(fieldsOf(status)["conditions"]).find((one) => one["type"] === "Dangling")?.["status"]) || "?"

/** The definition of flow schemas. */
export const flowSchemas = (): Definition =>
  define(GROUP, "v1", "FlowSchema", {
    defaults: (draft) => {
      draft.spec = zeroDefaulted(fieldsOf(draft.spec), { matchingPrecedence: 1000 })
    },
    initialStatus: () => ({}),
    check: checkSchema,
    generation: ["spec"],
    columns: [
      nameColumn,
      column("PriorityLevel", (object) => textOf(fieldsOf(specOf(object)["priorityLevelConfiguration"])["name"])),
      column("MatchingPrecedence", (object) => numberOf(specOf(object)["matchingPrecedence"])),
      column(
        "DistinguisherMethod",
        (object) => textOf(fieldsOf(specOf(object)["distinguisherMethod"])["type"]) || "<none>"
      ),
      ageColumn,
      column("MissingPL", danglingText)
    ]
  })

const levelDefaults = (draft: Draft): void => {
  const exempt = withPart(fieldsOf(draft.spec), "exempt", (part) => defaulted(part, EXEMPT))
  draft.spec = withPart(exempt, "limited", (limited) =>
    withPart(defaulted(limited, LIMITED), "limitResponse", (response) =>
      withPart(response, "queuing", (queuing) => zeroDefaulted(queuing, QUEUING))
    )
  )
}

const checkLevel = (object: KubeObject, problems: Problems): void => {
  const spec = specOf(object)
  const type = textOf(spec["type"])
  const limited = fieldsIn(spec["limited"])
  if (type === "Exempt") {
    if (limited !== undefined) problems.push(forbidden("spec.limited", "must be nil if the type is not Limited"))
  } else if (type === "Limited") {
    if (limited === undefined) problems.push(required("spec.limited", "must not be empty when type is Limited"))
    if (fieldsIn(spec["exempt"]) !== undefined) {
      problems.push(forbidden("spec.exempt", "must be nil if the type is Limited"))
    }
  } else problems.push(notSupported("spec.type", type, ["Exempt", "Limited"]))
}

const ofQueues =
  (field: string) =>
  (object: KubeObject): string | number => {
    const response = fieldsOf(fieldsOf(specOf(object)["limited"])["limitResponse"])
    const queuing = fieldsIn(response["queuing"])
    return queuing === undefined ? "<none>" : numberOf(queuing[field])
  }

/** The definition of priority levels. */
export const priorityLevels = (): Definition =>
  define(GROUP, "v1", "PriorityLevelConfiguration", {
    defaults: levelDefaults,
    initialStatus: () => ({}),
    check: checkLevel,
    generation: ["spec"],
    columns: [
      nameColumn,
      column("Type", (object) => textOf(specOf(object)["type"])),
      column("NominalConcurrencyShares", (object) => {
        const limited = fieldsIn(specOf(object)["limited"])
        return limited === undefined ? "<none>" : numberOf(limited["nominalConcurrencyShares"])
      }),
      column("Queues", ofQueues("queues")),
      column("HandSize", ofQueues("handSize")),
      column("QueueLengthLimit", ofQueues("queueLengthLimit")),
      ageColumn
    ]
  })
