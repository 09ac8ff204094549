// TLS in front of the test bed, which has none: clients come with certificates, and what they ask goes on in plain to the placement
// driver and the stores. Addresses in answers are replaced by the relay's own, so that nobody finds a way around it.
// Owns its listeners and its connections; refuses to change anything else.
import { Effect } from "effect"
import { connect, type GrpcClient, type GrpcMethod, listen, type ServerTls, type StreamCall } from "#net"
import { GetMembersResponse, GetStoreResponse, PdMethods, TSO_PATH } from "../../../core/storage/tikv/PdMessages.ts"
import { StoreMethods } from "../../../core/storage/tikv/TikvMessages.ts"
import { forwardStream, knownCode } from "../../../core/storage/server/Forwarding.ts"
import type { TestBed } from "./TestBed.ts"

type Rewrite = (answer: Buffer) => Uint8Array

const carried = (client: GrpcClient, path: string, rewrite: Rewrite = (answer) => answer): GrpcMethod => ({
  path,
  unary: (call, request) => {
    client.unary(path, request, (error, answer) =>
      error === undefined ? call.respond(rewrite(Buffer.from(answer))) : call.fail(knownCode(error.code), error.message)
    )
  }
})

const plain = (address: string) => {
  const [host, port] = address.split(":")
  return connect({ host, port: Number(port) })
}

const serve = (tls: ServerTls, methods: ReadonlyArray<GrpcMethod>) =>
  Effect.map(listen({ host: "127.0.0.1", port: 0, tls, methods }), ({ port }) => `127.0.0.1:${port}`)

/** Serves in front of a test bed for the life of the scope; answers the placement driver's new address. */
export const openTlsRelay = (bed: TestBed, tls: ServerTls) =>
  Effect.gen(function* () {
    const addresses = new Map<string, string>()
    for (const store of bed.stores) {
      const client = yield* plain(store)
      const methods = Object.values(StoreMethods).map(({ path }) => carried(client, path))
      addresses.set(store, yield* serve(tls, methods))
    }
    const driver = yield* plain(bed.pd)
    let own = ""
    const members: Rewrite = (answer) => {
      const { leader, ...rest } = GetMembersResponse.decode(answer)
      const moved = <Member extends object>(member: Member) => ({ ...member, clientUrls: [`https://${own}`] })
      return GetMembersResponse.encode({ ...rest, leader: leader && moved(leader), members: rest.members.map(moved) })
    }
    const store: Rewrite = (answer) => {
      const found = GetStoreResponse.decode(answer)
      const address = addresses.get(found.store?.address ?? "")
      return address === undefined || found.store === undefined
        ? answer
        : GetStoreResponse.encode({ ...found, store: { ...found.store, address } })
    }
    const rewrites = new Map<string, Rewrite>([
      [PdMethods.getMembers.path, members],
      [PdMethods.getStore.path, store]
    ])
    own = yield* serve(tls, [
      ...Object.values(PdMethods).map(({ path }) => carried(driver, path, rewrites.get(path))),
      { path: TSO_PATH, stream: (call: StreamCall) => forwardStream({ client: driver }, TSO_PATH, call) }
    ])
    return own
  })
