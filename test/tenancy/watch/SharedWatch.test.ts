// Watches that tenants share: each is told what a watch of its own would have told it, once, in order, from where it asked, however
// often upstream breaks off; and upstream is asked the same number of times whoever many they are.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { Failures } from "#kube"
import { ModelCluster } from "../../../core/tenancy/check/ModelCluster.ts"
import { type ModelExchange, ModelHandler, type Told } from "../../../core/tenancy/check/ModelHandler.ts"

const ids = ["acme01", "1acme0", "other0"]
const namespaces = ["a", "b"]
const names = ["x", "y"]
const TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
const STREAM = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"

const zooOf = (tenants = ids, spaces = namespaces): ModelHandler => {
  const zoo = new ModelHandler(tenants)
  for (const id of tenants) for (const space of spaces) zoo.cluster.namespaces.add(`${id}-${space}`)
  return zoo
}

const place = fc.record({ who: fc.nat(2), where: fc.nat(1), what: fc.nat(1) })

const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant("write" as const), place, deletes: fc.boolean() }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("watch" as const),
      who: fc.nat(1),
      where: fc.nat(2),
      name: fc.constantFrom("", "", "x"),
      table: fc.boolean(),
      from: fc.oneof(
        fc.nat(12).map((ago) => ({ ago })),
        fc.constantFrom("", "resourceVersion=0", STREAM)
      ),
      bookmarks: fc.boolean()
    })
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("turn" as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.constantFrom(1, 10, 20_000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("lose" as const, "bookmarks" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("compact" as const), keep: fc.nat(8) }) }
)

interface Asked {
  readonly watching: ModelExchange
  readonly tenant: string
  readonly scope: { readonly namespace: string; readonly name: string | undefined }
  /** The version it was asked from; undefined: from the state. */
  readonly from: number | undefined
  readonly askedAt: number
  readonly streams: boolean
  readonly bookmarks: boolean
  readonly table: boolean
}

const key = ({ name, namespace, type, version }: Pick<Told, "name" | "namespace" | "type" | "version">): string =>
  `${type} ${namespace}/${name} ${version}`

/** What a watch of its own would tell: the state at a version where it begins with it, and all that happened after. */
const direct = (upstream: ModelCluster, { from, scope, tenant }: Asked, stateAt: number): ReadonlyArray<string> => {
  const own = upstream.log
    .filter(({ namespace }) => namespace.startsWith(`${tenant}-`))
    .filter((each) => ModelCluster.concerns(scope, each))
    .map((each) => ({ ...each, namespace: each.namespace.slice(tenant.length + 1) }))
  if (from !== undefined) return own.filter(({ version }) => version > from).map(key)
  const state = new Map<string, string>()
  for (const each of own.filter(({ version }) => version <= stateAt)) {
    const { name, namespace, type } = each
    if (type === "DELETED") state.delete(`${namespace}/${name}`)
    else state.set(`${namespace}/${name}`, key({ ...each, type: "ADDED" }))
  }
  const inOrder = [...state].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, each]) => each)
  return [...inOrder, ...own.filter(({ version }) => version > stateAt).map(key)]
}

const startsWith = (all: ReadonlyArray<string>, some: ReadonlyArray<string>): boolean =>
  some.every((each, i) => all[i] === each)

/** Fails unless a watch was told what a watch of its own would have told, at whichever moment that had read its state. */
const judge = (upstream: ModelCluster, asked: Asked, canEnd: boolean): void => {
  const { askedAt, watching } = asked
  const heard = watching.told.filter(({ type }) => type !== "BOOKMARK" && type !== "ERROR").map(key)
  const moments = asked.from === undefined ? upstream.version - askedAt + 1 : 1
  const possible = Array.from({ length: moments }, (_, i) => direct(upstream, asked, askedAt + i))
  const told = `${asked.tenant} ${watching.path}\n${JSON.stringify(watching.told, null, 1)}`
  if (watching.over) {
    assert.isTrue(canEnd, `${watching.code} ended: ${told}`)
    assert.isTrue(heard.length === 0 || possible.some((all) => startsWith(all, heard)), told)
  } else {
    // The state of all namespaces is read one by one, and each at its own moment.
    const sorted = asked.scope.namespace === "" && asked.from === undefined
    if (sorted) return judgeStates(upstream, asked, heard)
    assert.isTrue(
      possible.some((all) => all.join("\n") === heard.join("\n")),
      `${told}\nnot one of\n${JSON.stringify(possible, null, 1)}`
    )
  }
  if (asked.streams && !watching.over)
    assert.strictEqual(watching.told.filter(({ endsInitial }) => endsInitial).length, 1, told)
  const tables = watching.told.filter(({ type }) => type !== "ERROR")
  if (asked.table)
    assert.deepStrictEqual(
      tables.map(({ columns }) => columns),
      tables.map((_, i) => i === 0),
      told
    )
}

/** In each namespace by itself it was told the same. */
const judgeStates = (upstream: ModelCluster, asked: Asked, heard: ReadonlyArray<string>): void => {
  for (const namespace of namespaces) {
    const within: Asked = { ...asked, scope: { ...asked.scope, namespace: `${asked.tenant}-${namespace}` } }
    const own = heard.filter((each) => each.includes(` ${namespace}/`)).join("\n")
    const moments = Array.from({ length: upstream.version - asked.askedAt + 1 }, (_, i) => asked.askedAt + i)
    assert.isTrue(
      moments.some((at) => direct(upstream, within, at).join("\n") === own),
      `${asked.tenant}/${namespace}: ${own}`
    )
  }
}

/** No bookmark says more than was told before it. */
const judgeBookmarks = (upstream: ModelCluster, asked: Asked): void => {
  const seen = new Map<string, number>()
  let at = 0
  for (const { endsInitial, name, namespace, type, version } of asked.watching.told) {
    at++
    if (type === "ERROR") continue
    if (type !== "BOOKMARK") {
      seen.set(`${namespace}/${name}`, version)
      continue
    }
    assert.isTrue(asked.bookmarks, "a bookmark that nobody asked for")
    if (endsInitial) assert.isTrue(asked.streams)
    for (const each of upstream.log) {
      const isOwn = each.namespace.startsWith(`${asked.tenant}-`) && ModelCluster.concerns(asked.scope, each)
      if (!isOwn || each.version > version || each.version <= (asked.from ?? 0)) continue
      const last = seen.get(`${each.namespace.slice(asked.tenant.length + 1)}/${each.name}`)
      const isGone = asked.from === undefined && last === undefined
      assert.isTrue(isGone || (last ?? 0) >= each.version, `bookmark ${version} (line ${at}) before ${key(each)}`)
    }
  }
}

describe("shared watches", () => {
  it("tell each what a watch of its own would tell", () => {
    let events = 0
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 60 }), (steps) => {
        const zoo = zooOf()
        const { clockwork: clock, cluster: upstream } = zoo
        const exists = new Set<string>()
        const all: Array<Asked> = []
        let disturbed = false
        for (const each of steps) {
          switch (each.do) {
            case "write": {
              const namespace = `${ids[each.place.who]}-${namespaces[each.place.where]}`
              const name = names[each.place.what] ?? ""
              const known = exists.has(`${namespace}/${name}`)
              if (known && each.deletes) exists.delete(`${namespace}/${name}`)
              else exists.add(`${namespace}/${name}`)
              upstream.happen(known ? (each.deletes ? "DELETED" : "MODIFIED") : "ADDED", namespace, name)
              break
            }
            case "watch": {
              const tenant = ids[each.who] ?? ""
              const namespace = namespaces[each.where] ?? ""
              const from = typeof each.from === "string" ? undefined : Math.max(100, upstream.version - each.from.ago)
              const streams = each.from === STREAM
              const query = [
                typeof each.from === "string" ? each.from : `resourceVersion=${from}`,
                each.bookmarks && !streams ? "allowWatchBookmarks=true" : "",
                each.name === "" ? "" : "fieldSelector=metadata.name%3Dx"
              ]
              const asking = query.filter((part) => part !== "").join("&")
              all.push({
                watching: zoo.watch(tenant, namespace, asking, each.table ? TABLE : "application/json"),
                tenant,
                scope: {
                  namespace: namespace === "" ? "" : `${tenant}-${namespace}`,
                  name: each.name === "" ? undefined : each.name
                },
                from,
                askedAt: upstream.version,
                streams,
                bookmarks: streams || each.bookmarks,
                table: each.table
              })
              break
            }
            case "turn":
              upstream.turn()
              break
            case "wait":
              clock.run(each.ms)
              break
            case "lose":
              disturbed = true
              upstream.lose()
              break
            case "bookmarks":
              upstream.bookmarks()
              break
            case "compact":
              disturbed = true
              upstream.oldest = Math.max(upstream.oldest, upstream.version - each.keep)
          }
        }
        for (let i = 0; i < 8; i++) {
          clock.run(20_000)
          upstream.turn()
          upstream.happen("MODIFIED", "other0-a", "z")
          upstream.turn()
        }
        for (const asked of all) {
          judge(upstream, asked, disturbed)
          judgeBookmarks(upstream, asked)
          events += asked.watching.told.length
        }
        // Two forms are asked for, and nobody is behind any more.
        assert.isAtMost(upstream.open.size, 2)
        zoo.tenancy.stop()
        assert.strictEqual(upstream.open.size, 0)
      })
    )
    assert.isAbove(events, 100)
  })

  it("ask upstream once for 100 tenants, in each namespace and over all", () => {
    const many = Array.from({ length: 100 }, (_, i) => `t${String(i).padStart(5, "0")}`)
    const spaces = ["a", "b", "c", "d"]
    const zoo = zooOf(many, spaces)
    const { clockwork: clock, cluster: upstream } = zoo
    for (let i = 0; i < 50; i++) upstream.happen("ADDED", `${many[i]}-a`, `p${i}`)
    const watches = many.flatMap((id, at) => [
      ...spaces.map((space) => zoo.watch(id, space, `resourceVersion=${101 + (at % 50)}`)),
      zoo.watch(id, "", "resourceVersion=150"),
      zoo.watch(id, "a", "resourceVersion=150&fieldSelector=metadata.name%3Dq")
    ])
    const settle = (): void => {
      for (let i = 0; i < 4; i++) {
        clock.run(50)
        upstream.turn()
      }
    }
    settle()
    upstream.happen("ADDED", `${many[7]}-a`, "q")
    upstream.happen("ADDED", `${many[99]}-b`, "q")
    settle()
    assert.strictEqual(watches.length, 600)
    assert.isTrue(watches.every(({ code, over }) => code === 200 && !over))
    const last = watches.filter(({ told }) => told.some(({ name }) => name === "q"))
    assert.deepStrictEqual(
      last.map(({ path }) => path.replace(/\?.*name/, "?name")),
      [
        "/api/v1/namespaces/a/pods?watch=true&resourceVersion=108",
        "/api/v1/pods?watch=true&resourceVersion=150",
        "/api/v1/namespaces/a/pods?name%3Dq",
        "/api/v1/namespaces/b/pods?watch=true&resourceVersion=150",
        "/api/v1/pods?watch=true&resourceVersion=150"
      ]
    )
    assert.isAtMost(upstream.most, 2)
    assert.strictEqual(zoo.tenancy.stats().upstreamWatches, 1)
    assert.strictEqual(upstream.open.size, 1)
    zoo.tenancy.stop()
  })

  it("say at once what upstream refuses, and pass on what it says beside", () => {
    const zoo = zooOf()
    const { clockwork: clock, cluster: upstream } = zoo
    const warned = zoo.watch("acme01", "a", "resourceVersion=100")
    clock.run(10)
    upstream.turn()
    assert.deepStrictEqual(
      warned.answered.filter(([name]) => name === "warning"),
      [["warning", '299 - "old"']]
    )
    upstream.refusal = Failures.badRequest("no such field")
    const refused = zoo.watch("acme01", "a", "resourceVersion=100&fieldSelector=spec.x%3D1")
    clock.run(10)
    upstream.turn()
    assert.strictEqual(refused.code, 400)
    assert.isFalse(warned.over)
    zoo.tenancy.stop()
  })

  it("tell that the past is lost to those whose past it is", () => {
    const zoo = zooOf()
    const { clockwork: clock, cluster: upstream } = zoo
    for (let i = 0; i < 20; i++) upstream.happen("MODIFIED", "acme01-a", "x")
    const early = zoo.watch("acme01", "a", "resourceVersion=105")
    const late = zoo.watch("1acme0", "b", "resourceVersion=115")
    upstream.oldest = 110
    for (let i = 0; i < 4; i++) {
      clock.run(1000)
      upstream.turn()
    }
    assert.deepStrictEqual(
      [early, late].map(({ told, over }) => [over, ...told.map(({ code }) => code)]),
      [[true, 410], [false]]
    )
    zoo.tenancy.stop()
  })
})
