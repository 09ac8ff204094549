// Plain HTTP as streams, on both sides: what a server's handler gets for each request and what a client's caller gets for each answer,
// the same over HTTP/2 and HTTP/1.1.
// Owns the shapes; refuses to own any behaviour, which the connections bring.
import type { Duplex } from "node:stream"
import type { TlsIdentity } from "./Tls.ts"

/** Field names in lower case, in the order of sending. */
export type HttpFields = ReadonlyArray<readonly [string, string]>

/** What a verified client certificate says. */
export interface PeerCertificate {
  /** Subject CN; empty when it has none. */
  readonly commonName: string
  /** Subject O, all of them. */
  readonly organizations: ReadonlyArray<string>
  /** DER. */
  readonly raw: Uint8Array
}

/** One request on the server's side. Exactly one of `respond`, `start` and `upgrade` answers it; later ones are ignored. */
export interface HttpExchange {
  readonly protocol: "HTTP/2.0" | "HTTP/1.1"
  readonly method: string
  /** The path with its query, as sent. */
  readonly path: string
  /** The first value of a field, by its lower-case name; "host" is also what HTTP/2 calls `:authority`. */
  header(name: string): string | undefined
  fields(): HttpFields
  /** The client as "ip:port". */
  readonly peer: string
  readonly secure: boolean
  /** Of a connection whose client showed a certificate that a known authority signed. */
  readonly peerCertificate: PeerCertificate | undefined
  /** Why the certificate that the client showed is not trusted, as a code of OpenSSL; undefined without one or when it is. */
  readonly peerCertificateProblem: string | undefined
  /** The server name that the client asked for (SNI). */
  readonly serverName: string | undefined
  /** What a listener that chooses by server name showed to this client; undefined for other listeners. */
  readonly tlsIdentity: TlsIdentity | undefined
  /** Whether the request ended with its head: no body follows. */
  readonly bodyless: boolean
  /**
   * Whatever the handler made of this request's head alone. Over HTTP/2 it may come back for a later request of the same
   * connection whose head is the same, octet for octet; it starts undefined.
   */
  memo: unknown
  /** Whatever the handler remembers from one request of a connection to the next; it starts undefined. */
  connectionMemo: unknown
  /** Reads the body whole; undefined when it is longer than `maxBytes` or the client went away. Once, and not with `onBody`. */
  readBody(maxBytes: number, done: (body: Uint8Array | undefined) => void): void
  /** Takes the body as it comes; a chunk is a view that is valid during the call. `false` pauses it until `resumeBody`. */
  onBody(chunk: (bytes: Uint8Array) => boolean, end: () => void): void
  resumeBody(): void
  /** Answers whole; `content-length` is added, and the body left out for HEAD. */
  respond(status: number, fields: HttpFields, body: string | Uint8Array): void
  /** Answers as a stream. A body that nobody took in the same turn is dropped over HTTP/1.1. */
  start(status: number, fields: HttpFields): HttpBody
  /** The client went away before the answer's end: at most once; soon, when it is set after that happened. */
  onClose: (() => void) | undefined
  /** The server says goodbye and waits for the answer's end, but not for long: at most once, at once if it has said it already. */
  onGoAway: (() => void) | undefined
  /** Says goodbye on this connection: open requests may end, no new ones come. */
  hangUp(): void
  /** Takes an HTTP/1.1 connection over after sending 101 with these fields; undefined over HTTP/2 or without an Upgrade field. */
  upgrade(fields: HttpFields): Duplex | undefined
}

/** The body of an answer that is being sent. */
export interface HttpBody {
  /** Sends bytes; their memory is handed over. False above the high-water mark: wait for `onDrain`; false when all is over. */
  write(bytes: Uint8Array): boolean
  /** The same for a view that is only valid during the call: copied where it cannot go out at once. */
  relay(view: Uint8Array): boolean
  readonly bufferedBytes: number
  onDrain: (() => void) | undefined
  end(trailers?: HttpFields): void
  /** Breaks the answer off, so that the client sees it is not whole. */
  abort(): void
}

export type HttpExchangeHandler = (exchange: HttpExchange) => void

/** What a client's caller hears of an answer. */
export interface HttpAnswerListener {
  head(status: number, fields: HttpFields): void
  /** A view that is valid during the call. */
  body(bytes: Uint8Array): void
  end(trailers: HttpFields): void
  /** No (whole) answer: at most once, instead of `end`. `sent` tells whether the server may have acted on the request. */
  failed(error: Error, sent: boolean): void
  /** `write` may go on after it answered false. */
  drain?(): void
}

/** A request on the client's side. */
export interface HttpClientRequest {
  write(bytes: Uint8Array): boolean
  /** The same for a view that is only valid during the call. */
  relay(view: Uint8Array): boolean
  end(bytes?: Uint8Array): void
  readonly bufferedBytes: number
  /** Stops reading the answer: the server's window fills. */
  pause(): void
  resume(): void
  /** Resets the request; nothing more is heard. */
  cancel(): void
}

export interface HttpRequestHead {
  readonly method: string
  readonly path: string
  /** `:authority` or Host; by default the connection's. */
  readonly authority?: string
  readonly fields: HttpFields
  /** Whether this very list of fields is sent again and again, so that a connection may remember what it became. */
  readonly repeats?: boolean
}

/** One connection to a server, over HTTP/2 where it speaks it. */
export interface HttpClient {
  readonly protocol: "h2" | "http/1.1"
  /** Whether new requests can start now: connected, no goodbye seen, streams left. */
  readonly ready: boolean
  /** Whether it takes no new requests any more, whatever ends: goodbye was seen or said, or it is lost. */
  readonly leaving: boolean
  readonly activeRequests: number
  request(head: HttpRequestHead, listener: HttpAnswerListener): HttpClientRequest
  /** Called once when the connection ended, after every open request failed. */
  onClose: (() => void) | undefined
  /** Called when a request has ended and another one can start. */
  onRoom: (() => void) | undefined
  /** Takes no more requests and closes when the open ones have ended. */
  closeWhenIdle(): void
  /** Fails what is open and closes. */
  close(): void
}
