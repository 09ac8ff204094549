// What a client wants to read: the Accept field against what the server writes.
// Owns clauses, weights and parameters as goautoneg and apiserver read them; refuses to write any of it.

export type Format = "json" | "yaml"

/** Another type than the resource's own that the client asked for. */
export type Transform = "Table" | "PartialObjectMetadata" | "PartialObjectMetadataList"

export interface Wanted {
  readonly format: Format
  readonly pretty: boolean
  readonly transform: Transform | undefined
  /** Of `transform`: "v1", or "v1beta1" for old clients. */
  readonly transformVersion: string
}

interface Clause {
  readonly type: string
  readonly subtype: string
  readonly weight: number
  readonly parameters: ReadonlyMap<string, string>
}

/** The media types of objects, in the server's order of preference. */
export const objectMediaTypes = ["application/json", "application/yaml"]

/** What a 406 to a watch names. */
export const streamMediaTypes = ["application/json;stream=watch"]

const plainJson: Wanted = { format: "json", pretty: false, transform: undefined, transformVersion: "" }
const prettyJson: Wanted = { ...plainJson, pretty: true }

const parseClause = (text: string): Clause => {
  const [range = "", ...parts] = text.split(";")
  const parameters = new Map<string, string>()
  let weight = 1
  for (const part of parts) {
    const equals = part.indexOf("=")
    const name = (equals < 0 ? part : part.slice(0, equals)).trim().toLowerCase()
    const value =
      equals < 0
        ? ""
        : part
            .slice(equals + 1)
            .trim()
            .replaceAll('"', "")
    if (name === "q") weight = Number.isFinite(Number(value)) ? Number(value) : 1
    else if (name !== "") parameters.set(name, value)
  }
  const slash = range.indexOf("/")
  const whole = range.trim()
  if (slash < 0) return { type: whole === "*" ? "*" : whole, subtype: "*", weight, parameters }
  return { type: range.slice(0, slash).trim(), subtype: range.slice(slash + 1).trim(), weight, parameters }
}

/** The clauses of an Accept field, the most wanted first. */
export const parseAccept = (header: string): ReadonlyArray<Clause> =>
  header
    .split(",")
    .filter((text) => text.trim() !== "")
    .map(parseClause)
    .sort((a, b) => b.weight - a.weight || specificity(b) - specificity(a))

const specificity = (clause: Clause): number => (clause.type === "*" ? 0 : clause.subtype === "*" ? 1 : 2)

const formats: ReadonlyArray<readonly [string, Format]> = [
  ["json", "json"],
  ["yaml", "yaml"]
]

const transformOf = (clause: Clause): Transform | undefined | "refused" => {
  const { parameters } = clause
  const as = parameters.get("as")
  if (as === undefined && !parameters.has("g") && !parameters.has("v")) return undefined
  const version = parameters.get("v")
  if (parameters.get("g") !== "meta.k8s.io" || (version !== "v1" && version !== "v1beta1")) return "refused"
  return as === "Table" || as === "PartialObjectMetadata" || as === "PartialObjectMetadataList" ? as : "refused"
}

const isHuman = (userAgent: string | undefined): boolean =>
  userAgent !== undefined && /^(curl|Wget|Mozilla\/5\.0)/.test(userAgent)

const prettyAsked = (pretty: string, userAgent: string | undefined): boolean =>
  pretty === "" ? isHuman(userAgent) : /^(1|t|T|true|TRUE|True)$/.test(pretty)

/** Whether output is laid out for people: the `pretty` parameter, else curl, Wget and browsers. */
export interface Reader {
  readonly accept: string | undefined
  readonly userAgent: string | undefined
  readonly pretty: string
}

/** What to write; undefined when nothing that the client accepts can be written. `streams` leaves out what has no stream form. */
export const negotiate = (reader: Reader, streams: boolean): Wanted | undefined => {
  const { accept } = reader
  const pretty = prettyAsked(reader.pretty, reader.userAgent)
  if (accept === undefined || accept === "" || accept === "application/json" || accept === "*/*") {
    return pretty ? prettyJson : plainJson
  }
  for (const clause of parseAccept(accept)) {
    const transform = transformOf(clause)
    const stream = clause.parameters.get("stream")
    if (transform === "refused" || (stream !== undefined && stream !== "" && stream !== "watch")) continue
    if (clause.type !== "*" && clause.type !== "application") continue
    const [, format] = formats.find(([subtype]) => clause.subtype === "*" || clause.subtype === subtype) ?? []
    if (format === undefined || (streams && format === "yaml")) continue
    return {
      format,
      pretty: pretty || clause.parameters.get("pretty") === "1",
      transform,
      transformVersion: clause.parameters.get("v") ?? ""
    }
  }
  return undefined
}
