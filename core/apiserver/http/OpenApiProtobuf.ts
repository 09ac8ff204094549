// An OpenAPI v2 document in Protocol Buffers, the only form in which kubectl's own validation reads it.
// Owns the messages that our documents use; refuses those that they never do (headers, examples, OAuth).
// Source: github.com/google/gnostic-models, openapiv2/OpenAPIv2.proto.
import { isJsonObject, type Json, type JsonObject } from "#kube"
import { ProtoWriter } from "#net"

/** Writes one value as a field of this number. */
type Encode = (writer: ProtoWriter, number: number, value: Json) => void

/** The fields of a message: the name in JSON, the number, how it is written; extensions ("x-…") have a number of their own. */
interface Spec {
  readonly fields: Readonly<Record<string, readonly [number: number, encode: Encode]>>
  readonly extensions?: number
}

const LENGTH_DELIMITED = 2

const delimited = (number: number): number => (number << 3) | LENGTH_DELIMITED

const text: Encode = (writer, number, value) =>
  writer.stringField(delimited(number), typeof value === "string" ? value : JSON.stringify(value))

const flag: Encode = (writer, number, value) => {
  if (value === true) writer.int64Field(number << 3, 1)
}

const whole: Encode = (writer, number, value) => writer.int64Field(number << 3, Number(value))

const amount: Encode = (writer, number, value) => writer.doubleField((number << 3) | 1, Number(value))

const nested = (writer: ProtoWriter, number: number, write: () => void): void => {
  const start = writer.open(delimited(number))
  write()
  writer.close(start)
}

/** Any value, as YAML, which JSON is. */
const any: Encode = (writer, number, value) =>
  nested(writer, number, () => writer.stringField(delimited(2), JSON.stringify(value)))

const each =
  (encode: Encode): Encode =>
  (writer, number, value) => {
    for (const one of Array.isArray(value) ? (value as ReadonlyArray<Json>) : [value]) encode(writer, number, one)
  }

const named = (writer: ProtoWriter, number: number, name: string, value: Json, encode: Encode): void =>
  nested(writer, number, () => {
    writer.stringField(delimited(1), name)
    encode(writer, 2, value)
  })

const writeFields = (writer: ProtoWriter, spec: Spec, value: JsonObject): void => {
  for (const name in value) {
    const own = value[name]
    if (own === undefined) continue
    const field = spec.fields[name]
    if (field !== undefined) field[1](writer, field[0], own)
    else if (spec.extensions !== undefined && name.startsWith("x-")) named(writer, spec.extensions, name, own, any)
  }
}

const objectOf = (value: Json): JsonObject => (isJsonObject(value) ? value : {})

const message =
  (spec: () => Spec): Encode =>
  (writer, number, value) =>
    nested(writer, number, () => writeFields(writer, spec(), objectOf(value)))

/** A map: a message whose one field is a list of names and values. */
const mapOf =
  (encode: Encode, entry = 1): Encode =>
  (writer, number, value) =>
    nested(writer, number, () => {
      const entries = objectOf(value)
      for (const name in entries) named(writer, entry, name, entries[name] ?? null, encode)
    })

/** A message that is one of several: its one field has this number. */
const member =
  (at: number, encode: Encode): Encode =>
  (writer, number, value) =>
    nested(writer, number, () => encode(writer, at, value))

const texts = each(text)
const schema: Encode = message(() => schemaSpec)
const schemaSpec: Spec = {
  fields: {
    $ref: [1, text],
    format: [2, text],
    title: [3, text],
    description: [4, text],
    default: [5, any],
    multipleOf: [6, amount],
    maximum: [7, amount],
    exclusiveMaximum: [8, flag],
    minimum: [9, amount],
    exclusiveMinimum: [10, flag],
    maxLength: [11, whole],
    minLength: [12, whole],
    pattern: [13, text],
    maxItems: [14, whole],
    minItems: [15, whole],
    uniqueItems: [16, flag],
    maxProperties: [17, whole],
    minProperties: [18, whole],
    required: [19, texts],
    enum: [20, each(any)],
    additionalProperties: [
      21,
      (writer, number, value) =>
        nested(writer, number, () =>
          typeof value === "boolean" ? writer.int64Field(2 << 3, value ? 1 : 0) : schema(writer, 1, value)
        )
    ],
    type: [22, (writer, number, value) => nested(writer, number, () => texts(writer, 1, value))],
    items: [23, member(1, schema)],
    allOf: [24, each(schema)],
    properties: [25, mapOf(schema)],
    discriminator: [26, text],
    readOnly: [27, flag],
    example: [30, any]
  },
  extensions: 31
}

const bodySpec: Spec = {
  fields: { description: [1, text], name: [2, text], in: [3, text], required: [4, flag], schema: [5, schema] },
  extensions: 6
}
const querySpec: Spec = {
  fields: {
    required: [1, flag],
    in: [2, text],
    description: [3, text],
    name: [4, text],
    type: [6, text],
    uniqueItems: [20, flag]
  }
}
const pathSpec: Spec = {
  fields: {
    required: [1, flag],
    in: [2, text],
    description: [3, text],
    name: [4, text],
    type: [5, text],
    uniqueItems: [19, flag]
  }
}

/** A ParametersItem: a Parameter, which is a BodyParameter or one of the NonBodyParameters. */
const parameter: Encode = (writer, number, value) => {
  const place = objectOf(value)["in"]
  const own =
    place === "body"
      ? member(
          1,
          message(() => bodySpec)
        )
      : member(
          2,
          place === "path"
            ? member(
                4,
                message(() => pathSpec)
              )
            : member(
                3,
                message(() => querySpec)
              )
        )
  member(1, own)(writer, number, value)
}

const responseSpec: Spec = { fields: { description: [1, text], schema: [2, member(1, schema)] }, extensions: 5 }
const requirement: Encode = mapOf((writer, number, value) => nested(writer, number, () => texts(writer, 1, value)))
const operationSpec: Spec = {
  fields: {
    tags: [1, texts],
    summary: [2, text],
    description: [3, text],
    operationId: [5, text],
    produces: [6, texts],
    consumes: [7, texts],
    parameters: [8, each(parameter)],
    responses: [
      9,
      mapOf(
        member(
          1,
          message(() => responseSpec)
        )
      )
    ],
    schemes: [10, texts],
    deprecated: [11, flag],
    security: [12, each(requirement)]
  },
  extensions: 13
}
const operation: Encode = message(() => operationSpec)
const pathItemSpec: Spec = {
  fields: {
    get: [2, operation],
    put: [3, operation],
    post: [4, operation],
    delete: [5, operation],
    options: [6, operation],
    head: [7, operation],
    patch: [8, operation],
    parameters: [9, each(parameter)]
  },
  extensions: 10
}
const infoSpec: Spec = { fields: { title: [1, text], version: [2, text], description: [3, text] }, extensions: 7 }
const keySpec: Spec = {
  fields: { type: [1, text], name: [2, text], in: [3, text], description: [4, text] },
  extensions: 5
}

const documentSpec: Spec = {
  fields: {
    swagger: [1, text],
    info: [2, message(() => infoSpec)],
    host: [3, text],
    basePath: [4, text],
    schemes: [5, texts],
    consumes: [6, texts],
    produces: [7, texts],
    paths: [
      8,
      mapOf(
        message(() => pathItemSpec),
        2
      )
    ],
    definitions: [9, mapOf(schema)],
    security: [12, each(requirement)],
    securityDefinitions: [
      13,
      mapOf(
        member(
          2,
          message(() => keySpec)
        )
      )
    ]
  },
  extensions: 16
}

/** The bytes of a document. */
export const openApiV2Bytes = (document: Json): Uint8Array => {
  const writer = new ProtoWriter(1 << 20)
  writeFields(writer, documentSpec, objectOf(document))
  return writer.take()
}
