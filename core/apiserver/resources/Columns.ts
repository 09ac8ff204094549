// The parts that columns of many kinds are made of: name, age, durations, containers, labels.
// Owns these texts as kubectl shows them; refuses to list any kind's columns.
import { type KubeObject, parseRfc3339 } from "#kube"
import type { Column } from "../Definition.ts"
import { fieldsOf, itemsOf, textOf } from "./Fields.ts"

type Value = Column["value"]

/** A column that is always shown. */
export const column = (name: string, value: Value, type: Column["type"] = "string"): Column => ({
  name,
  type,
  priority: 0,
  value
})

/** A column that is shown with -o wide. */
export const wide = (name: string, value: Value, type: Column["type"] = "string"): Column => ({
  name,
  type,
  priority: 1,
  value
})

/** The object's name. */
export const nameColumn: Column = {
  name: "Name",
  type: "string",
  format: "name",
  priority: 0,
  value: ({ metadata }) => metadata.name ?? ""
}

/** How long the object has existed. */
export const ageColumn: Column = column("Age", ({ metadata }, nowMs) => sinceText(metadata.creationTimestamp, nowMs))

/** The time from a timestamp until now, as a short text; "<unknown>" without a timestamp. */
export const sinceText = (timestamp: unknown, nowMs: number): string => {
  const ms = typeof timestamp === "string" ? parseRfc3339(timestamp) : undefined
  return ms === undefined ? "<unknown>" : durationText(nowMs - ms)
}

/** Milliseconds with two or three significant figures, like "3m20s", "27h" or "5d". */
export const durationText = (ms: number): string => {
  const seconds = Math.trunc(ms / 1000)
  if (seconds < -1) return "<invalid>"
  if (seconds < 0) return "0s"
  if (seconds < 120) return `${seconds}s`
  const minutes = Math.trunc(seconds / 60)
  if (minutes < 10) return two(minutes, "m", seconds % 60, "s")
  if (minutes < 180) return `${minutes}m`
  const hours = Math.trunc(minutes / 60)
  if (hours < 8) return two(hours, "h", minutes % 60, "m")
  if (hours < 48) return `${hours}h`
  const days = Math.trunc(hours / 24)
  if (hours < 192) return two(days, "d", hours % 24, "h")
  if (days < 730) return `${days}d`
  const years = Math.trunc(days / 365)
  return days < 2920 ? two(years, "y", days % 365, "d") : `${years}y`
}

const two = (large: number, largeUnit: string, small: number, smallUnit: string): string =>
  small === 0 ? `${large}${largeUnit}` : `${large}${largeUnit}${small}${smallUnit}`

/** The first few of a list and how many more there are. */
export const withMore = (shown: ReadonlyArray<string>, count: number, most: number, none: string): string => {
  if (count > most) return `${shown.slice(0, most).join(",")} + ${count - most} more...`
  return shown.length === 0 ? none : shown.join(",")
}

/** A map of labels as "a=1,b=2"; "<none>" when empty. */
export const labelsText = (labels: Readonly<Record<string, string>>): string => {
  const names = Object.keys(labels).sort()
  return names.length === 0 ? "<none>" : names.map((name) => `${name}=${labels[name] ?? ""}`).join(",")
}

/** Columns with the names and images of a pod template's containers. */
export const containerColumns = (podSpec: (object: KubeObject) => unknown, make = wide): ReadonlyArray<Column> => {
  const texts = (object: KubeObject, field: string): string =>
    itemsOf(fieldsOf(podSpec(object))["containers"])
      .map((container) => textOf(container[field]))
      .join(",")
  return [make("Containers", (object) => texts(object, "name")), make("Images", (object) => texts(object, "image"))]
}

/** A number of a part of the object, 0 when absent: `counted("Ready", (o) => o.status, "readyReplicas")`. */
export const counted = (name: string, part: (object: KubeObject) => unknown, field: string): Column =>
  column(name, (object) => numberAt(part(object), field), "integer")

const numberAt = (part: unknown, field: string): number => {
  const value = fieldsOf(part)[field]
  return typeof value === "number" ? value : 0
}
