// ConfigMaps, Secrets, ServiceAccounts and PodTemplates.
// Owns their strategies; refuses to mint tokens. Source: kubernetes pkg/registry/core.
import { type Json, type KubeObject, Names, sameJson } from "#kube"
import type { Definition, Draft } from "../../Definition.ts"
import { ageColumn, column, containerColumns, labelsText, nameColumn } from "../Columns.ts"
import { define } from "../Define.ts"
import { type Fields, fieldsIn, fieldsOf, mapOf, textOf } from "../Fields.ts"
import { checkImmutable } from "../Meta.ts"
import { forbidden, invalid, invalidEach, type Problems, required, tooLong } from "../Problems.ts"
import { templateDefaults } from "./PodDefaults.ts"
import { checkTemplate } from "./PodRules.ts"

/** Bytes of data that a ConfigMap or a Secret may hold. */
const MAX_BYTES = 1_048_576

const encodedBytes = (text: string): number => {
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0
  return (text.length / 4) * 3 - padding
}

const textBytes = (text: string): number => (text.length * 3 <= MAX_BYTES ? text.length : Buffer.byteLength(text))

const checkFrozen = (now: KubeObject, old: KubeObject, fields: ReadonlyArray<string>, problems: Problems): void => {
  if (old["immutable"] !== true) return
  const why = "field is immutable when `immutable` is set"
  if (now["immutable"] !== true) problems.push(forbidden("immutable", why))
  for (const field of fields) {
    if (!sameJson(now[field] as Json | undefined, old[field] as Json | undefined)) problems.push(forbidden(field, why))
  }
}

const checkConfigMap = (map: KubeObject, problems: Problems): void => {
  const data = mapOf(map["data"])
  const binary = mapOf(map["binaryData"])
  let bytes = 0
  for (const key in data) {
    invalidEach(`data[${key}]`, key, Names.configKey(key), problems)
    if (binary[key] !== undefined) {
      problems.push(invalid(`data[${key}]`, key, "duplicate of key present in binaryData"))
    }
    bytes += textBytes(data[key] ?? "")
  }
  for (const key in binary) {
    invalidEach(`binaryData[${key}]`, key, Names.configKey(key), problems)
    bytes += encodedBytes(binary[key] ?? "")
  }
  if (bytes > MAX_BYTES) problems.push(tooLong("", MAX_BYTES))
}

const count = (object: KubeObject, field: string): number => Object.keys(fieldsOf(object[field])).length

/** The definition of config maps. */
export const configMaps = (): Definition =>
  define("", "v1", "ConfigMap", {
    check: checkConfigMap,
    checkUpdate: (now, old, problems) => checkFrozen(now, old, ["data", "binaryData"], problems),
    columns: [nameColumn, column("Data", (map) => count(map, "data") + count(map, "binaryData")), ageColumn]
  })

/** What was given as text becomes data. */
const secretDefaults = (draft: Draft): void => {
  if (textOf(draft["type"]) === "") draft["type"] = "Opaque"
  const texts = fieldsIn(draft["stringData"])
  if (texts === undefined) return
  const data: Record<string, Json | undefined> = { ...fieldsOf(draft["data"]) }
  for (const key in texts) data[key] = Buffer.from(textOf(texts[key]), "utf8").toString("base64")
  draft["data"] = data
  draft["stringData"] = undefined
}

const parses = (encoded: string): boolean => {
  try {
    return fieldsIn(JSON.parse(Buffer.from(encoded, "base64").toString("utf8"))) !== undefined
  } catch {
    return false
  }
}

const checkDockerConfig = (data: Readonly<Record<string, string>>, key: string, problems: Problems): void => {
  const config = data[key]
  if (config === undefined) problems.push(required(`data[${key}]`))
  else if (!parses(config)) {
    problems.push(invalid(`data[${key}]`, "<secret contents redacted>", "unexpected end of JSON input"))
  }
}

const checkSecretType = (secret: KubeObject, data: Readonly<Record<string, string>>, problems: Problems): void => {
  const account = "kubernetes.io/service-account.name"
  switch (secret["type"]) {
    case "kubernetes.io/service-account-token":
      if ((secret.metadata.annotations?.[account] ?? "") === "") {
        problems.push(required(`metadata.annotations[${account}]`))
      }
      return
    case "kubernetes.io/dockercfg":
      return checkDockerConfig(data, ".dockercfg", problems)
    case "kubernetes.io/dockerconfigjson":
      return checkDockerConfig(data, ".dockerconfigjson", problems)
    case "kubernetes.io/basic-auth":
      if (data["username"] !== undefined || data["password"] !== undefined) return
      problems.push(required("data[username]"), required("data[password]"))
      return
    case "kubernetes.io/ssh-auth":
      if ((data["ssh-privatekey"] ?? "") === "") problems.push(required("data[ssh-privatekey]"))
      return
    case "kubernetes.io/tls":
      for (const key of ["tls.crt", "tls.key"]) if (data[key] === undefined) problems.push(required(`data[${key}]`))
      return
    default:
  }
}

const checkSecret = (secret: KubeObject, problems: Problems): void => {
  const data = mapOf(secret["data"])
  let bytes = 0
  for (const key in data) {
    invalidEach(`data[${key}]`, key, Names.configKey(key), problems)
    bytes += encodedBytes(data[key] ?? "")
  }
  if (bytes > MAX_BYTES) problems.push(tooLong("data", MAX_BYTES))
  checkSecretType(secret, data, problems)
}

/** The definition of secrets. */
export const secrets = (): Definition =>
  define("", "v1", "Secret", {
    defaults: secretDefaults,
    prepareForUpdate: (draft, old) => {
      // A type is never taken away: an update that names none keeps it.
      if (textOf(draft["type"]) === "") draft["type"] = old["type"]
      return undefined
    },
    check: checkSecret,
    checkUpdate: (now, old, problems) => {
      checkImmutable("type", now["type"], old["type"], problems)
      checkFrozen(now, old, ["data"], problems)
    },
    columns: [
      nameColumn,
      column("Type", (secret) => textOf(secret["type"])),
      column("Data", (secret) => count(secret, "data")),
      ageColumn
    ],
    selectableFields: { type: (secret) => textOf(secret["type"]) }
  })

/** Of the secrets that an account names nothing but their names is kept. */
const onlyNames = (draft: Draft): undefined => {
  const { secrets } = draft
  if (Array.isArray(secrets)) {
    draft["secrets"] = (secrets as ReadonlyArray<Fields>).map(({ name }) => (name === undefined ? {} : { name }))
  }
  return undefined
}

/** The definition of service accounts. */
export const serviceAccounts = (): Definition =>
  define("", "v1", "ServiceAccount", {
    prepareForCreate: onlyNames,
    prepareForUpdate: onlyNames,
    columns: [nameColumn, ageColumn],
    strategy: { returnsDeleted: true }
  })

/** The definition of pod templates. */
export const podTemplates = (): Definition =>
  define("", "v1", "PodTemplate", {
    defaults: (draft) => {
      const template = fieldsIn(draft["template"])
      if (template !== undefined) draft["template"] = templateDefaults(template)
    },
    check: (object, problems) => checkTemplate(fieldsOf(object["template"]), "template", problems),
    generation: ["template"],
    strategy: { returnsDeleted: true },
    columns: [
      nameColumn,
      ...containerColumns((object) => fieldsOf(object["template"])["spec"], column),
      column("Pod Labels", (object) => labelsText(mapOf(fieldsOf(fieldsOf(object["template"])["metadata"])["labels"])))
    ]
  })

/** The definition of component statuses, which nothing writes any more. */
export const componentStatuses = (): Definition => {
  const healthy = (object: KubeObject) => {
    const conditions = object["conditions"]
    return Array.isArray(conditions) ? fieldsOf(conditions.find((one) => fieldsOf(one)["type"] === "Healthy")) : {}
  }
  const status = (object: KubeObject): string => {
    const value = fieldsOf(healthy(object))["status"]
    return value === undefined ? "Unknown" : value === "True" ? "Healthy" : "Unhealthy"
  }
  return define("", "v1", "ComponentStatus", {
    deprecated: "v1 ComponentStatus is deprecated in v1.19+",
    columns: [
      nameColumn,
      column("Status", status),
      column("Message", (object) => textOf(fieldsOf(healthy(object))["message"])),
      column("Error", (object) => textOf(fieldsOf(healthy(object))["error"]))
    ]
  })
}
