// Asks over an HttpClient and collects what comes, for tests.
import type { HttpClient, HttpFields, HttpRequestHead } from "../../core/net/index.ts"

export interface Collected {
  readonly status: number
  readonly fields: HttpFields
  readonly body: Buffer
  readonly trailers: HttpFields
}

/** How a request ended without a whole answer. */
export class AskFailed extends Error {
  readonly sent: boolean

  constructor(message: string, sent: boolean) {
    super(message)
    this.sent = sent
  }
}

/** A whole answer, or AskFailed. */
export const askClient = (
  client: HttpClient,
  method: string,
  path: string,
  body?: Uint8Array,
  more: Partial<HttpRequestHead> = {}
): Promise<Collected> =>
  new Promise((resolve, reject) => {
    let status = 0
    let fields: HttpFields = []
    const chunks: Array<Buffer> = []
    const request = client.request(
      { method, path, fields: [], ...more },
      {
        head: (code, seen) => {
          status = code
          fields = seen
        },
        body: (bytes) => void chunks.push(Buffer.from(bytes)),
        end: (trailers) => resolve({ status, fields, trailers, body: Buffer.concat(chunks) }),
        failed: (error, sent) => reject(new AskFailed(error.message, sent))
      }
    )
    request.end(body)
  })
