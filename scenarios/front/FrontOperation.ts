// What clients of a Kubernetes API front do, and on which objects, as a schema.
// Owns the vocabulary only: the requests themselves are made in load/, the objects by whichever upstream answers.
import { Effect, Schema } from "effect"
import { Count, Name, Size, Span } from "../Quantity.ts"

/** Every operation, with the request that it is. */
export const frontOperationNotes = {
  get: "GET of one object",
  list: "GET of a collection, of one namespace or of all",
  create: "POST of a new object",
  update: "PUT of an object that is there, without a resourceVersion",
  patch: "PATCH of an annotation (application/merge-patch+json)",
  delete: "DELETE of an object that a create of the same run made",
  watch: "GET with watch=1: measured until the answer's head, then held for `hold` and cancelled"
} as const

export type FrontOperationName = keyof typeof frontOperationNotes

// SAFETY: Object.keys of a literal gives exactly its keys.
const operationNames = Object.keys(frontOperationNotes) as ReadonlyArray<FrontOperationName>

const Scope = Schema.Literals(["namespace", "all"]).annotate({
  description: "Collections of one namespace, or of all at once"
})

/** One entry of a mix. */
export const FrontOperation = Schema.Struct({
  name: Schema.optionalKey(Name).annotate({ description: "Name in the report; by default that of the operation" }),
  op: Schema.Literals(operationNames).annotate({
    description: Object.entries(frontOperationNotes)
      .map(([name, note]) => `${name}: ${note}`)
      .join("; ")
  }),
  weight: Schema.Finite.check(
    Schema.isBetween({ minimum: 0, maximum: 1e9, exclusiveMinimum: true }, { expected: "a weight above 0" })
  ).pipe(Schema.withDecodingDefaultKey(Effect.succeed(1))),
  objects: Schema.optionalKey(Name).annotate({
    description: "Name of the objects; may be left out when there is one kind"
  }),
  scope: Scope.pipe(Schema.withDecodingDefaultKey(Effect.succeed("namespace" as const))),
  limit: Schema.optionalKey(Count(100_000)).annotate({
    description: "list: objects of one page, of which one is asked"
  }),
  cached: Schema.Boolean.pipe(Schema.withDecodingDefaultKey(Effect.succeed(false))).annotate({
    description: "get and list: with resourceVersion=0, as informers and kubelets ask"
  }),
  hold: Span.pipe(Schema.withDecodingDefaultKey(Effect.succeed("1s"))).annotate({ description: "watch: held so long" })
})

export type FrontOperation = typeof FrontOperation.Type

/** The resources that loads work on; each has a smallest valid object of its own. */
export const frontResources = ["configmaps", "pods", "secrets"] as const

/** Objects that are there before the first phase, in namespaces of their own. */
export const FrontObjects = Schema.Struct({
  name: Name.check(Schema.isMaxLength(40)),
  resource: Schema.Literals(frontResources).pipe(Schema.withDecodingDefaultKey(Effect.succeed("configmaps" as const))),
  namespaces: Count(100_000)
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed(1)))
    .annotate({ description: "Namespaces they are spread over; with tenants, of each tenant" }),
  count: Count(2_000_000)
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed(100)))
    .annotate({ description: "Objects in all; with tenants, of each tenant" }),
  bytes: Size.pipe(Schema.withDecodingDefaultKey(Effect.succeed("1KiB"))).annotate({
    description: "About the size of each object as JSON"
  })
})

export type FrontObjects = typeof FrontObjects.Type

export type FrontResource = FrontObjects["resource"]
