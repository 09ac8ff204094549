// Secrets that a manifest points to: which, and what is taken from them.
// Owns the keys (those of kubernetes.io/tls and service-account-token secrets); refuses to fetch, which a source does.
import { fieldsIn, fieldsOf, notFound, type Problems, textOf } from "#apiserver"
import type { Json, JsonObject, KubeObject } from "#kube"

/** Where a secret is. */
export interface SecretPlace {
  readonly namespace: string
  readonly name: string
}

/** Finds a secret; undefined when it is not there (yet). */
export type SecretLookup = (place: SecretPlace) => KubeObject | undefined

/** "namespace/name". */
export const secretKey = ({ name, namespace }: SecretPlace): string => `${namespace}/${name}`

/** The secret that a part of a manifest points to. */
export const secretRefOf = (part: JsonObject): SecretPlace | undefined => {
  const ref = fieldsIn(part["secretRef"])
  return ref === undefined ? undefined : { namespace: textOf(ref["namespace"]), name: textOf(ref["name"]) }
}

const plain = (base64: Json | undefined): string | undefined => {
  const text = textOf(base64)
  return text === "" ? undefined : Buffer.from(text, "base64").toString("utf8")
}

/** What a secret gives, decoded. */
export interface SecretContent {
  readonly cert: string | undefined
  readonly key: string | undefined
  readonly ca: string | undefined
  readonly token: string | undefined
}

const NOTHING: SecretContent = { cert: undefined, key: undefined, ca: undefined, token: undefined }

/** The data of a secret as a part depends on it: null when there is none. */
export const secretInput = (place: SecretPlace | undefined, lookup: SecretLookup): Json => {
  const secret = place === undefined ? undefined : lookup(place)
  return secret === undefined ? null : fieldsOf(secret["data"])
}

/** Reads a secret's data; one that is not there is reported as unresolved. */
export const secretContent = (
  place: SecretPlace | undefined,
  data: Json,
  path: string,
  unresolved: Problems
): SecretContent => {
  if (place === undefined) return NOTHING
  const found = fieldsIn(data)
  if (found === undefined) {
    unresolved.push(notFound(`${path}.secretRef`, secretKey(place), "there is no such secret"))
    return NOTHING
  }
  return {
    cert: plain(found["tls.crt"]),
    key: plain(found["tls.key"]),
    ca: plain(found["ca.crt"]),
    token: plain(found["token"])
  }
}
