// What actions answer: objects and Statuses that no store holds.
// Owns their wrapping; refuses to decide what they say.
import type { ApiFailure, KubeObject, Status } from "#kube"
import type { ApiAnswer } from "../Request.ts"

/** Called once with what became of a request. */
export type Answer = (answer: ApiAnswer | ApiFailure) => void

const text = new TextEncoder()

/** An object that was made for this answer alone. */
export const answered = (object: KubeObject, code: number, warnings: ReadonlyArray<string> = []): ApiAnswer => ({
  kind: "object",
  code,
  held: { object, revision: 0, encoded: () => text.encode(JSON.stringify(object)) },
  warnings
})

const success: Status = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 }

/** That a create of a subresource was carried out. */
export const done201: ApiAnswer = answered(success as Status & KubeObject, 201)
