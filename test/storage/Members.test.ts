// The member list and its changes: the same answers as a real etcd's, and still there after a restart.
import { it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect } from "vitest"
import { callUnary, connect, type Int64, type Message } from "#net"
import {
  MemberAddRequest,
  MemberAddResponse,
  MemberIdRequest,
  MemberListRequest,
  MemberListResponse,
  MemberUpdateRequest,
  type Member
} from "#storage"
import { describeWith } from "../Judges.ts"
import { startServer, type ServerOptions } from "./ServerProcess.ts"

const started = (options: ServerOptions) =>
  Effect.acquireRelease(
    Effect.promise(() => startServer(options)),
    (server) => Effect.promise(() => server.destroy())
  )

/** A member as both sides must show it: ids of added members carry the time of their adding. */
const shown = ({ clientUrls, isLearner, name, peerUrls }: Member) => ({
  name,
  peerUrls,
  isLearner,
  started: clientUrls.length > 0
})

/** All members as both sides must show them: a list is in the order of ids, and ids of added members differ each time. */
const allShown = (members: ReadonlyArray<Member>) =>
  members.map(shown).sort((a, b) => (a.name === b.name ? 0 : a.name > b.name ? -1 : 1))

const cluster = (port: number) =>
  Effect.gen(function* () {
    const client = yield* connect({ host: "127.0.0.1", port })
    const ask = <A extends object, B extends object>(
      method: string,
      request: Message<A>,
      reply: Message<B>,
      body: Partial<A>
    ) =>
      callUnary(client, `/etcdserverpb.Cluster/${method}`, request.encode(body)).pipe(
        Effect.map((bytes) => reply.decode(bytes)),
        Effect.mapError(({ code, message }) => `${code} ${message}`),
        Effect.result
      )
    const list = ask("MemberList", MemberListRequest, MemberListResponse, {})
    const byId = (method: string, id: Int64) => ask(method, MemberIdRequest, MemberListResponse, { id })
    const add = (peerUrls: ReadonlyArray<string>, isLearner: boolean) =>
      ask("MemberAdd", MemberAddRequest, MemberAddResponse, { peerUrls, isLearner })
    const update = (id: Int64, peerUrls: ReadonlyArray<string>) =>
      ask("MemberUpdate", MemberUpdateRequest, MemberListResponse, { id, peerUrls })
    return { add, byId, list, update }
  })

/** Everything that can be asked of one member without losing etcd's quorum; what both sides must agree on. */
const walk = (port: number) =>
  Effect.gen(function* () {
    const { add, byId, list, update } = yield* cluster(port)
    const answers: Array<unknown> = []
    const note = (result: Result.Result<{ readonly members: ReadonlyArray<Member> }, string>): void =>
      void answers.push(Result.isSuccess(result) ? allShown(result.success.members) : result.failure)
    const [self] = Result.getOrThrow(yield* list).members
    note(yield* add([], true))
    note(yield* add(["not a url"], true))
    note(yield* add(self.peerUrls, true))
    const added = yield* add(["http://127.0.0.1:1"], true)
    note(added)
    const learner = Result.getOrThrow(added).member?.id ?? 0
    note(yield* list)
    note(yield* add(["http://127.0.0.1:2"], true))
    note(yield* byId("MemberPromote", learner))
    note(yield* byId("MemberPromote", self.id))
    note(yield* byId("MemberPromote", 7))
    note(yield* update(learner, ["http://127.0.0.1:3"]))
    note(yield* update(7, ["http://127.0.0.1:4"]))
    note(yield* list)
    note(yield* byId("MemberRemove", 7))
    note(yield* byId("MemberRemove", self.id))
    note(yield* byId("MemberRemove", learner))
    note(yield* byId("MemberRemove", learner))
    return answers
  })

describeWith("etcd")("the member list", ({ etcd }) => {
  const peerUrl = "http://127.0.0.1:23990"

  it.live("changes as a real etcd's does", () =>
    Effect.gen(function* () {
      const theirs = yield* Effect.scoped(
        Effect.flatMap(started({ program: "etcd", etcdPath: etcd, peerUrl }), ({ port }) => walk(port))
      )
      const ours = yield* Effect.flatMap(started({ program: "lmdb", peerUrl }), ({ port }) => walk(port))
      expect(ours).toEqual(theirs)
    })
  )

  it.live("is kept over a restart", () =>
    Effect.gen(function* () {
      const directory = mkdtempSync(join(tmpdir(), "wharf-members-"))
      const options: ServerOptions = { program: "lmdb", directory, peerUrl }
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { add } = yield* cluster((yield* started(options)).port)
          Result.getOrThrow(yield* add(["http://127.0.0.1:1"], false))
        })
      )
      const { list } = yield* cluster((yield* started(options)).port)
      const { members } = Result.getOrThrow(yield* list)
      expect(allShown(members)).toEqual([
        { name: "default", peerUrls: [peerUrl], isLearner: false, started: true },
        { name: "", peerUrls: ["http://127.0.0.1:1"], isLearner: false, started: false }
      ])
      rmSync(directory, { recursive: true })
    })
  )
})
