// How documents about the API (discovery, OpenAPI) are answered: with a tag, so that a client that has one already gets no second.
// Owns the answer's fields; refuses to know what stands in it.
import { createHash } from "node:crypto"
import type { TenantCall } from "../serve/TenantCall.ts"

/** Answers a document, or that the client's own is still the same. */
export const sendDocument = (call: TenantCall, body: string | Uint8Array, type: string): void => {
  const etag = `"${createHash("sha256").update(body).digest("hex").toUpperCase()}"`
  const fields = [
    ["content-type", type],
    ["etag", etag],
    ["vary", "Accept"]
  ] as const
  if (call.exchange.header("if-none-match") === etag) call.respond(304, fields, "")
  else call.respond(200, fields, body)
}

/** Answers that there is no such page, as an API server's mux does. */
export const notFound = (call: TenantCall): void =>
  call.respond(404, [["content-type", "text/plain; charset=utf-8"]], "404 page not found\n")
