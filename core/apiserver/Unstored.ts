// Answers that no store holds: reviews, tokens, bindings' Status.
// Owns the wrapping of a plain object as an answer; refuses to build the object.
import type { KubeObject } from "#kube"
import type { ApiAnswer } from "./Request.ts"

const utf8 = new TextEncoder()

/** An answer with an object that was made for this request only: 201 for what was created, by default. */
export const unstored = (object: KubeObject, code = 201, warnings: ReadonlyArray<string> = []): ApiAnswer => ({
  kind: "object",
  code,
  held: { object, revision: 0, encoded: () => utf8.encode(JSON.stringify(object)) },
  warnings
})
