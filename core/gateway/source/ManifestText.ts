// Manifests in YAML or JSON text: clusters, and the secrets that they name.
// Owns what a text may hold (several documents, lists, other kinds, which are passed over) and the words for what cannot be read;
// refuses files. No message shows more of a text than its place.
import { LineCounter, parseAllDocuments } from "yaml"
import { fieldsOf, itemsOf, textOf } from "#apiserver"
import { isJsonObject, type Json, type JsonObject, type KubeObject } from "#kube"
import { GATEWAY_GROUP } from "../schema/GatewayCrds.ts"

/** What a text holds. */
export interface Manifests {
  readonly clusters: ReadonlyArray<KubeObject>
  readonly secrets: ReadonlyArray<KubeObject>
}

/** A text that cannot be read: where, and why. */
export class ManifestInvalid extends Error {
  readonly _tag = "ManifestInvalid"
  override readonly name = "ManifestInvalid"
}

/** Aliases that one document may follow: a text of few lines cannot become one of many. */
const ALIASES_MAX = 100

/** Secrets take texts beside base64, as the API does. */
const withData = (secret: JsonObject): JsonObject => {
  const plain = Object.entries(fieldsOf(secret["stringData"])).map(
    ([name, text]) => [name, Buffer.from(textOf(text)).toString("base64")] as const
  )
  return plain.length === 0
    ? secret
    : { ...secret, data: { ...fieldsOf(secret["data"]), ...Object.fromEntries(plain) } }
}

const flatten = (value: Json): ReadonlyArray<JsonObject> => {
  if (!isJsonObject(value)) return []
  return textOf(value["kind"]).endsWith("List") && Array.isArray(value["items"])
    ? itemsOf(value["items"]).flatMap(flatten)
    : [value]
}

// SAFETY: a name has been looked for, and the other fields are as open as they are in KubeObject.
const asObject = (value: JsonObject): KubeObject => value as unknown as KubeObject

const named = (object: JsonObject): JsonObject => {
  if (textOf(fieldsOf(object["metadata"])["name"]) === "")
    throw new ManifestInvalid(`${textOf(object["kind"])} without metadata.name`)
  return object
}

/** Reads a text; throws ManifestInvalid. */
const read = (text: string): Manifests => {
  const lines = new LineCounter()
  const documents = parseAllDocuments(text, { lineCounter: lines, stringKeys: true })
  const values = ("empty" in documents ? [] : documents).flatMap((document) => {
    const [error] = document.errors
    if (error !== undefined) {
      const { col, line } = lines.linePos(error.pos[0])
      throw new ManifestInvalid(`line ${line}, column ${col}: no YAML (${error.code})`)
    }
    // SAFETY: YAML's core schema with text keys makes nothing but JSON values.
    return flatten(document.toJS({ maxAliasCount: ALIASES_MAX }) as Json)
  })
  const ofKind = (group: string, kind: string) =>
    values.filter((one) => one["kind"] === kind && textOf(one["apiVersion"]).startsWith(group)).map(named)
  return {
    clusters: ofKind(`${GATEWAY_GROUP}/`, "UpstreamCluster").map(asObject),
    secrets: ofKind("v1", "Secret").map((secret) => asObject(withData(secret)))
  }
}

/** The manifests of a text. */
export const parseManifests = (text: string): Manifests | ManifestInvalid => {
  try {
    return read(text)
  } catch (error) {
    return error instanceof ManifestInvalid ? error : new ManifestInvalid("no YAML that can be taken as it is")
  }
}
