// The service that the tests of this room call: every kind of method, with behaviour that the request's first byte picks.
import { Effect, Exit, Scope } from "effect"
import { connect, type ConnectOptions, GrpcCode, type GrpcClient, type GrpcMethod } from "../../core/net/index.ts"
import { type HttpHandler, listen, type Listening, type ListenOptions, textResponse } from "../../core/net/index.ts"

/** Unary: echoes. "!<code> <text>" fails with that status, "~" never answers, "#<n>" answers n bytes of "x". */
const echo: GrpcMethod = {
  path: "/test.Echo/Unary",
  unary: (call, request) => {
    const first = request[0]
    if (first === 0x21) {
      const text = Buffer.from(request).toString("utf8", 1)
      const space = text.indexOf(" ")
      return call.fail(Number(text.slice(0, space)) as GrpcCode, text.slice(space + 1))
    }
    if (first === 0x7e) return
    if (first === 0x23) return call.respondOwned(Buffer.alloc(Number(Buffer.from(request).toString("latin1", 1)), 0x78))
    call.respond(request)
  }
}

/** Unary: echoes through the in-place path. */
const reserve: GrpcMethod = {
  path: "/test.Echo/Reserve",
  unary: (call, request) => {
    const space = call.reserve(request.length)
    space.bytes.set(request, space.offset)
    call.commit()
  }
}

/** Unary: answers what the server knows of the call. */
const info: GrpcMethod = {
  path: "/test.Echo/Info",
  unary: (call, request) => {
    const name = Buffer.from(request).toString("latin1")
    call.setHeader("x-answer", "head")
    call.setTrailer("x-trailer-bin", Buffer.from([0, 1, 254, 255]).toString("base64"))
    const binary = name.endsWith("-bin") ? [...(call.binaryHeader(name) ?? [])] : undefined
    const known = { header: call.header(name), binary, peer: call.peer, common: call.tlsPeerCommonName }
    call.respond(Buffer.from(JSON.stringify(known)))
  }
}

/** Both streams: each message comes back; the end follows the client's end. */
const both: GrpcMethod = {
  path: "/test.Echo/Both",
  stream: (call) => ({
    message: (bytes) => void call.send(bytes),
    end: () => call.end()
  })
}

/** Server stream: "<count> <size>" messages, paced by back-pressure. */
const download: GrpcMethod = {
  path: "/test.Echo/Download",
  stream: (call) => {
    let left = 0
    let size = 0
    const pump = (): void => {
      while (left > 0) {
        left--
        const message = Buffer.alloc(size, left & 0xff)
        const open = size >= 16_384 ? call.sendOwned(message) : call.send(message)
        if (!open && left > 0) return
      }
      call.end()
    }
    call.onDrain = pump
    return {
      message: (bytes) => {
        const [count, each] = Buffer.from(bytes).toString("latin1").split(" ")
        left = Number(count)
        size = Number(each)
        pump()
      },
      end: () => {}
    }
  }
}

/** Server stream: a message at once, and another when the server says goodbye. */
const watch: GrpcMethod = {
  path: "/test.Echo/Watch",
  stream: (call) => {
    call.send(Buffer.from("first"))
    call.onGoAway = () => {
      call.send(Buffer.from("last"))
      call.end()
    }
    return { message: () => {}, end: () => {} }
  }
}

/** Client stream: answers the number of messages and bytes. */
const upload: GrpcMethod = {
  path: "/test.Echo/Upload",
  stream: (call) => {
    let count = 0
    let size = 0
    return {
      message: (bytes) => {
        count++
        size += bytes.length
      },
      end: () => {
        call.send(Buffer.from(`${count} ${size}`))
        call.end()
      }
    }
  }
}

export const echoMethods: ReadonlyArray<GrpcMethod> = [echo, reserve, info, both, download, watch, upload]

/** GET anything answers its path; POST answers the body; /large answers a megabyte. */
export const echoHttp: HttpHandler = (request) => {
  if (request.path === "/large") return { status: 200, headers: {}, body: Buffer.alloc(1_048_576, 0x79) }
  if (request.method === "POST") return { status: 200, headers: {}, body: request.body }
  return textResponse(200, `${request.method} ${request.path}\n`)
}

/** A server, and what opens clients to it; `close` ends everything. */
export interface Fixture {
  readonly listening: Listening
  readonly connect: (options?: Partial<ConnectOptions>) => Promise<GrpcClient>
  readonly close: () => Promise<void>
}

/** Starts the service on a free loopback port. */
export const startEcho = async (options: Partial<ListenOptions> = {}): Promise<Fixture> => {
  const scope = Scope.makeUnsafe()
  const inScope = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Promise<A> =>
    Effect.runPromise(Effect.provideService(effect, Scope.Scope, scope))
  const listening = await inScope(
    listen({ host: "127.0.0.1", port: 0, methods: echoMethods, http: echoHttp, ...options })
  )
  return {
    listening,
    connect: (more) => inScope(connect({ host: "127.0.0.1", port: listening.port, ...more })),
    close: () => Effect.runPromise(Scope.close(scope, Exit.void))
  }
}

/** A unary call as a promise of the answer's copy. */
export const call = (client: GrpcClient, path: string, message: Uint8Array | string): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    client.unary(path, Buffer.from(message as string), (error, answer) => {
      if (error === undefined) resolve(Buffer.from(answer))
      else reject(error)
    })
  })
