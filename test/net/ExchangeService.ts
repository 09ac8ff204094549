// The streaming HTTP service that the tests of this room call, by the path of the request.
import type { HttpExchange, HttpExchangeHandler } from "../../core/net/index.ts"

/** What the service saw, for tests that look at ends. */
export interface ExchangeLog {
  closes: number
  open: number
  goodbyes: number
  /** The most bytes that waited in one download. */
  mostBuffered: number
}

export const newLog = (): ExchangeLog => ({ closes: 0, open: 0, goodbyes: 0, mostBuffered: 0 })

/** The body comes back as it came, paced by back-pressure both ways, with a trailer that counts its bytes. */
const echo = (exchange: HttpExchange): void => {
  const body = exchange.start(200, [
    ["content-type", "application/octet-stream"],
    ["trailer", "x-bytes"]
  ])
  let bytes = 0
  body.onDrain = () => exchange.resumeBody()
  exchange.onBody(
    (chunk) => {
      bytes += chunk.length
      return body.write(Buffer.from(chunk))
    },
    () => body.end([["x-bytes", String(bytes)]])
  )
}

/** "?<count>-<size>": so many chunks of this size, paced by back-pressure. */
const download = (exchange: HttpExchange, log: ExchangeLog): void => {
  const [count, size] = exchange.path.split("?")[1].split("-").map(Number)
  const body = exchange.start(200, [["content-type", "application/octet-stream"]])
  let left = count
  const pump = (): void => {
    while (left > 0) {
      left--
      const open = body.write(Buffer.alloc(size, left & 0xff))
      log.mostBuffered = Math.max(log.mostBuffered, body.bufferedBytes)
      if (!open && left > 0) return
    }
    body.end()
  }
  body.onDrain = pump
  pump()
}

const upgrade = (exchange: HttpExchange): void => {
  const socket = exchange.upgrade([["upgrade", "test/1"]])
  if (socket === undefined) return exchange.respond(400, [], "no upgrade\n")
  socket.on("data", (bytes: Buffer) => socket.write(bytes.toString().toUpperCase()))
  socket.on("end", () => socket.end())
}

const tell = (exchange: HttpExchange): void => {
  const { method, path, protocol, secure, serverName, peerCertificate, peerCertificateProblem } = exchange
  const certificate = peerCertificate && {
    commonName: peerCertificate.commonName,
    organizations: peerCertificate.organizations,
    bytes: peerCertificate.raw.length
  }
  const seen = { method, path, protocol, secure, serverName, certificate, peerCertificateProblem }
  const host = exchange.header("host")
  const json = JSON.stringify({ ...seen, host, accept: exchange.header("accept"), fields: exchange.fields() })
  exchange.respond(200, [["content-type", "application/json"]], json)
}

const count = (exchange: HttpExchange): void =>
  exchange.readBody(2_000_000, (body) => {
    if (body === undefined) exchange.respond(413, [], "too large\n")
    else exchange.respond(200, [], `${body.length} bytes of ${body[0] ?? "nothing"}\n`)
  })

/** Watches: a first line, and then a last one when the server says goodbye. */
const watch = (exchange: HttpExchange, log: ExchangeLog): void => {
  const body = exchange.start(200, [["content-type", "text/plain"]])
  body.write(Buffer.from("first\n"))
  exchange.onGoAway = () => {
    log.goodbyes++
    body.write(Buffer.from("last\n"))
    body.end()
  }
}

/** Serves by the first segment of the path. */
export const exchangeService = (log: ExchangeLog): HttpExchangeHandler => {
  const routes: Readonly<Record<string, (exchange: HttpExchange) => void>> = {
    echo,
    download: (exchange) => download(exchange, log),
    upgrade,
    tell,
    count,
    watch: (exchange) => watch(exchange, log),
    silent: () => {},
    refuse: (exchange) => exchange.respond(403, [["x-why", "no"]], "forbidden\n"),
    empty: (exchange) => exchange.respond(204, [], ""),
    page: (exchange) => exchange.respond(200, [["content-type", "text/plain"]], "säge\n"),
    large: (exchange) => exchange.respond(200, [], Buffer.alloc(1_048_576, 0x79)),
    break: (exchange) => {
      const body = exchange.start(200, [])
      body.write(Buffer.from("half"))
      setTimeout(() => body.abort(), 5)
    },
    late: (exchange) => {
      exchange.onClose = undefined
      setTimeout(() => {
        exchange.onClose = () => log.closes++
        exchange.start(200, []).write(Buffer.from("too late"))
      }, 30)
    },
    throw: () => {
      throw new Error("a defect of the handler")
    }
  }
  return (exchange) => {
    log.open++
    exchange.onClose = () => {
      log.closes++
    }
    const route = routes[exchange.path.split(/[/?]/)[1]]
    if (route === undefined) exchange.respond(404, [], "")
    else route(exchange)
  }
}
