// Status and other small values as bytes of the format that a client reads.
// Owns layout and content types; refuses negotiation.
import type { Status } from "#kube"
import { stringify } from "yaml"
import type { Wanted } from "./Negotiation.ts"

export interface Encoded {
  readonly contentType: string
  readonly body: string
}

/** A value as JSON, JSON for people, or YAML. */
export const encodeValue = (value: unknown, wanted: Wanted | undefined): Encoded => {
  if (wanted?.format === "yaml") return { contentType: "application/yaml", body: yamlText(value) }
  const body = wanted?.pretty === true ? JSON.stringify(value, undefined, 2) : `${JSON.stringify(value)}\n`
  return { contentType: "application/json", body }
}

/** YAML as sigs.k8s.io/yaml lays it out: fields in order of their names, no anchors. */
export const yamlText = (value: unknown): string =>
  stringify(value, { sortMapEntries: true, aliasDuplicateObjects: false, lineWidth: 80, indentSeq: false })

export const statusBody = (status: Status, wanted: Wanted | undefined): Encoded => encodeValue(status, wanted)
