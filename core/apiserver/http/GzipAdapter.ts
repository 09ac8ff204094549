// Compresses large answers on their way out, in the thread pool.
// Owns the level, the threshold and the flow from zlib to the socket; refuses to decide who gets it beyond what the client accepts.
import { createGzip, constants } from "node:zlib"
import type { HttpBody } from "#net"

/** Bytes from which on an answer is compressed, as kube-apiserver does. */
export const GZIP_MIN_BYTES = 131_072

/** Whether a client takes gzip: named in Accept-Encoding with a weight above zero. */
export const acceptsGzip = (acceptEncoding: string | undefined): boolean =>
  acceptEncoding !== undefined &&
  acceptEncoding.split(",").some((clause) => /^\s*gzip\s*(;\s*q\s*=\s*(1(\.0*)?|0\.0*[1-9]\d*)\s*)?$/i.test(clause))

/** Sends chunks compressed; waits for zlib and for the client in turn, so that only a few chunks are ever held. */
export const sendGzipped = (
  chunks: Iterator<Uint8Array>,
  body: HttpBody,
  done: (bytesSent: number) => void
): { readonly stop: () => void } => {
  const gzip = createGzip({ level: constants.Z_BEST_SPEED, chunkSize: 65_536 })
  let bytesSent = 0
  const feed = (): void => {
    for (let next = chunks.next(); ; next = chunks.next()) {
      if (next.done === true) return void gzip.end()
      if (!gzip.write(next.value)) return void gzip.once("drain", feed)
    }
  }
  gzip.on("data", (bytes: Buffer) => {
    bytesSent += bytes.length
    if (!body.write(bytes)) gzip.pause()
  })
  body.onDrain = () => void gzip.resume()
  gzip.on("error", () => {
    body.abort()
    done(bytesSent)
  })
  gzip.on("end", () => {
    body.end()
    done(bytesSent)
  })
  feed()
  return { stop: () => void gzip.destroy() }
}
