// Events, in the core group and in events.k8s.io: one storage, two spellings.
// Owns their rules and the way between both; refuses to gather them into series. Source: kubernetes pkg/apis/core/validation,
// pkg/apis/events/v1.
import { type Json, type KubeObject, Names } from "#kube"
import type { Column, Definition } from "../../Definition.ts"
import type { ResourcesContext } from "../Context.ts"
import { column, sinceText, wide } from "../Columns.ts"
import { define } from "../Define.ts"
import { fieldsIn, fieldsOf, isZero, numberOf, textOf } from "../Fields.ts"
import { checkImmutable } from "../Meta.ts"
import { invalid, invalidEach, type Problems, required } from "../Problems.ts"

/** Fields that are spelled differently: in events.k8s.io, and in the core group. */
const SPELLINGS = [
  ["note", "message"],
  ["regarding", "involvedObject"],
  ["deprecatedSource", "source"],
  ["deprecatedFirstTimestamp", "firstTimestamp"],
  ["deprecatedLastTimestamp", "lastTimestamp"],
  ["deprecatedCount", "count"],
  ["reportingController", "reportingComponent"]
] as const

const toCore = new Map<string, string>(SPELLINGS)
const fromCore = new Map<string, string>(SPELLINGS.map(([newer, older]) => [older, newer]))

const spelled = (event: KubeObject, names: ReadonlyMap<string, string>): KubeObject => {
  const other: Record<string, unknown> = {}
  for (const field in event) {
    const value = event[field]
    other[names.get(field) ?? field] = value
  }
  return other as unknown as KubeObject
}

/** What the core group always shows of an event, and the newer group leaves out when it is empty. */
const coreEvent = (event: KubeObject): KubeObject => {
  const core = spelled(event, toCore) as unknown as Record<string, unknown>
  for (const field of ["firstTimestamp", "lastTimestamp"]) core[field] ??= null
  core["involvedObject"] ??= {}
  core["source"] ??= {}
  return core as unknown as KubeObject
}

const checkLegacy = (event: KubeObject, newer: boolean, problems: Problems): void => {
  const involved = fieldsOf(event["involvedObject"])
  const { namespace = "" } = event.metadata
  const about = textOf(involved["namespace"])
  if (event["eventTime"] === undefined || event["eventTime"] === null) {
    if (about === "" && namespace !== "default" && namespace !== "kube-system" && !newer) {
      if (namespace !== "") problems.push(invalid("involvedObject.namespace", about, "does not match event.namespace"))
    } else if (about !== "" && about !== namespace) {
      problems.push(invalid("involvedObject.namespace", about, "does not match event.namespace"))
    }
    return
  }
  if (about === "" ? namespace !== "default" && namespace !== "kube-system" : about !== namespace) {
    problems.push(invalid("involvedObject.namespace", about, "does not match event.namespace"))
  }
  const controller = newer ? "reportingController" : "reportingComponent"
  for (const [field, shown] of [
    ["reportingComponent", controller],
    ["reportingInstance", "reportingInstance"],
    ["action", "action"],
    ["reason", "reason"]
  ] as const) {
    const text = textOf(event[field])
    if (text === "") problems.push(required(shown))
    if (field === "reportingComponent") invalidEach(shown, text, Names.qualifiedName(text), problems)
    else if (text.length > 128) {
      problems.push(invalid(shown, "", "can have at most 128 characters"))
    }
  }
  if (textOf(event["message"]).length > 1024) problems.push(invalid("message", "", "can have at most 1024 characters"))
}

/** Nothing, or an object of nothing. */
const saysNothing = (value: unknown): boolean =>
  isZero(value) || (fieldsIn(value) !== undefined && Object.values(fieldsOf(value)).every(isZero))

const checkNewer = (event: KubeObject, problems: Problems): void => {
  checkLegacy(event, true, problems)
  if (event.metadata.resourceVersion !== undefined) return
  const series = fieldsIn(event["series"])
  if (series !== undefined && numberOf(series["count"]) < 2) {
    problems.push(invalid("series.count", "", "should be at least 2"))
  }
  if (isZero(event["eventTime"])) problems.push(required("eventTime"))
  const type = textOf(event["type"])
  if (type !== "Normal" && type !== "Warning") problems.push(invalid("type", "", `has invalid value: ${type}`))
  for (const field of ["firstTimestamp", "lastTimestamp", "count", "source"]) {
    if (!saysNothing(event[field])) problems.push(invalid(field, "", "needs to be unset"))
  }
}

const FIXED = [
  "involvedObject",
  "reason",
  "message",
  "source",
  "firstTimestamp",
  "lastTimestamp",
  "count",
  "type",
  "eventTime",
  "action",
  "related",
  "reportingInstance"
]

const checkNewerUpdate = (event: KubeObject, old: KubeObject, problems: Problems): void => {
  for (const field of FIXED) {
    if (saysNothing(event[field]) && saysNothing(old[field])) continue
    const text = typeof event[field] === "string" || typeof old[field] === "string"
    const empty = text ? "" : undefined
    checkImmutable(field, event[field] ?? empty, old[field] ?? empty, problems)
  }
  checkImmutable("reportingController", event["reportingComponent"], old["reportingComponent"], problems)
}

const target = (event: KubeObject): string => {
  const { kind, name } = fieldsOf(event["involvedObject"])
  const lower = textOf(kind).toLowerCase()
  return textOf(name) === "" ? lower : `${lower}/${textOf(name)}`
}

const first = (event: KubeObject, nowMs: number): string =>
  sinceText(isZero(event["firstTimestamp"]) ? event["eventTime"] : event["firstTimestamp"], nowMs)

const last = (event: KubeObject, nowMs: number): string => {
  const series = fieldsIn(event["series"])
  if (series !== undefined) return sinceText(series["lastObservedTime"], nowMs)
  return isZero(event["lastTimestamp"]) ? first(event, nowMs) : sinceText(event["lastTimestamp"], nowMs)
}

const source = (event: KubeObject): string => {
  const { component, host } = fieldsOf(event["source"])
  const name = textOf(component) || textOf(event["reportingComponent"])
  const instance = textOf(host) || textOf(event["reportingInstance"])
  return instance === "" ? name : `${name}, ${instance}`
}

const countOf = (event: KubeObject): number => {
  const series = fieldsIn(event["series"])
  return series === undefined ? numberOf(event["count"]) || 1 : numberOf(series["count"])
}

const columns: ReadonlyArray<Column> = [
  column("Last Seen", last),
  column("Type", (event) => textOf(event["type"])),
  column("Reason", (event) => textOf(event["reason"])),
  column("Object", target),
  wide("Subobject", (event) => textOf(fieldsOf(event["involvedObject"])["fieldPath"])),
  wide("Source", source),
  column("Message", (event) => textOf(event["message"]).trim()),
  wide("First Seen", first),
  wide("Count", countOf),
  { name: "Name", type: "string", format: "name", priority: 1, value: ({ metadata }) => metadata.name ?? "" }
]

type Select = (event: KubeObject) => string

const involved =
  (field: string): Select =>
  (event) =>
    textOf(fieldsOf(event["involvedObject"])[field])

const OBJECT_FIELDS = ["kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath"]

const selectable = (object: string): Record<string, Select> => ({
  ...Object.fromEntries(OBJECT_FIELDS.map((field) => [`${object}.${field}`, involved(field)])),
  reason: (event) => textOf(event["reason"]),
  reportingComponent: (event) => textOf(event["reportingComponent"]),
  source: (event) => textOf(fieldsOf(event["source"])["component"]) || textOf(event["reportingComponent"]),
  type: (event) => textOf(event["type"])
})

/** The definition of events in the core group. */
export const coreEvents = ({ eventTtlSeconds }: ResourcesContext): Definition =>
  define("", "v1", "Event", {
    check: (event, problems) => checkLegacy(event, false, problems),
    strategy: { createOnUpdate: true },
    columns,
    selectableFields: selectable("involvedObject"),
    storage: { ttlSeconds: eventTtlSeconds }
  })

const seenAsCore =
  <A extends ReadonlyArray<unknown>, B>(value: (event: KubeObject, ...more: A) => B) =>
  (event: KubeObject, ...more: A): B =>
    value(coreEvent(event), ...more)

/** The definition of events in events.k8s.io. */
export const newerEvents = ({ eventTtlSeconds }: ResourcesContext): Definition =>
  define("events.k8s.io", "v1", "Event", {
    check: seenAsCore(checkNewer),
    checkUpdate: (event, old, problems) => checkNewerUpdate(coreEvent(event), coreEvent(old), problems),
    strategy: { createOnUpdate: true },
    columns: columns.map((one) => ({ ...one, value: seenAsCore(one.value) })),
    selectableFields: Object.fromEntries(
      Object.entries(selectable("regarding")).map(([name, select]) => [
        name === "reportingComponent" ? "reportingController" : name,
        seenAsCore(select)
      ])
    ),
    storage: {
      prefix: "/registry/events/",
      group: "",
      version: "v1",
      ttlSeconds: eventTtlSeconds,
      convert: { toStored: coreEvent, fromStored: (event) => withoutEmpty(spelled(event, fromCore)) }
    }
  })

/** The newer group leaves out what is not set. */
const withoutEmpty = (event: KubeObject): KubeObject => {
  const { deprecatedFirstTimestamp: firstSeen, deprecatedLastTimestamp: lastSeen, ...rest } = event
  const known: Record<string, Json | undefined> = {}
  known["deprecatedFirstTimestamp"] = (firstSeen ?? null) as Json
  known["deprecatedLastTimestamp"] = (lastSeen ?? null) as Json
  return { ...rest, ...known }
}
