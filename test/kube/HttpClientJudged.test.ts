// The Client, informers and leader election over HTTP against a real kube-apiserver.
import { readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, assert, beforeAll, it } from "vitest"
import { Effect, Fiber, Stream } from "effect"
import {
  effectClient,
  electLeader,
  gvr,
  httpClient,
  Informer,
  type KubeObject,
  loadAccess,
  machineClockwork,
  makeController,
  objectKey,
  splitKey
} from "#kube"
import { describeWith } from "../Judges.ts"
import { makeAuthority } from "../net/Certificates.ts"
import { startApiServer } from "./RealApiServer.ts"

const maps = gvr("", "v1", "configmaps")
const here = { resource: maps, namespace: "default" }
const named = (name: string) => ({ ...here, name })

const map = (name: string, data: Record<string, string> = {}): KubeObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: "default" },
  data
})

type Programs = Parameters<typeof startApiServer>[0]

/** A server with certificates of a throw-away authority, and a kubeconfig of an administrator: by certificate and by token. */
const startServer = async (programs: Programs) => {
  const { caFile, folder, sign } = makeAuthority()
  const serving = sign("serving", "kube-apiserver")
  const admin = sign("admin", "admin/O=system:masters")
  const server = await startApiServer(programs, [
    `--tls-cert-file=${serving.certFile}`,
    `--tls-private-key-file=${serving.keyFile}`,
    `--client-ca-file=${caFile}`
  ])
  const kubeconfig = join(folder, "kubeconfig")
  writeFileSync(
    kubeconfig,
    `
current-context: cert
clusters: [{ name: real, cluster: { server: "${server.url}", certificate-authority: ${caFile} } }]
contexts:
- { name: cert, context: { cluster: real, user: cert } }
- { name: token, context: { cluster: real, user: token } }
users:
- name: cert
  user:
    client-certificate-data: ${readFileSync(admin.certFile).toString("base64")}
    client-key-data: ${readFileSync(admin.keyFile).toString("base64")}
- { name: token, user: { token: ${server.token} } }
`
  )
  const stop = async (): Promise<void> => {
    await server.stop()
    rmSync(folder, { recursive: true })
  }
  return { kubeconfig, stop }
}

/** Waits for something to become true; the test's own time limit ends it. */
const until = (condition: () => boolean) => Effect.sleep(10).pipe(Effect.repeat({ until: () => condition() }))

describeWith("etcd", "kube-apiserver")("the Client and a real kube-apiserver", (programs) => {
  let server: Awaited<ReturnType<typeof startServer>>

  beforeAll(async () => {
    server = await startServer(programs)
  })
  afterAll(() => server.stop())

  const connected = (context: string, onWarning?: (warning: string) => void) =>
    loadAccess({ kubeconfig: server.kubeconfig, context }).pipe(
      Effect.flatMap((access) => httpClient({ access, ...(onWarning === undefined ? {} : { onWarning }) }))
    )

  it(
    "does what each call says, by certificate and by token",
    () =>
      Effect.gen(function* () {
        const warnings: Array<string> = []
        const client = effectClient(yield* connected("cert", (warning) => warnings.push(warning)))
        const made = yield* client.create(here, map("a", { x: "1" }), { fieldManager: "tester" })
        assert.strictEqual(made.kind, "ConfigMap")
        const updated = yield* client.update(named("a"), { ...made, data: { x: "2" } })
        const conflict = yield* Effect.flip(client.update(named("a"), { ...made, data: { x: "3" } }))
        assert.strictEqual(conflict.reason, "Conflict")
        const patched = yield* client.patch(named("a"), { type: "merge", body: { data: { y: "1" } } })
        assert.deepStrictEqual(patched["data"], { x: "2", y: "1" })
        const json = yield* client.patch(named("a"), { type: "json", body: [{ op: "remove", path: "/data/y" }] })
        assert.deepStrictEqual(json["data"], { x: "2" })
        const applied = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a" }, data: { x: "9" } }
        const stolen = yield* Effect.flip(
          client.patch(named("a"), { type: "apply", body: applied }, { fieldManager: "other" })
        )
        assert.strictEqual(stolen.reason, "Conflict")
        yield* client.patch(named("a"), { type: "apply", body: applied }, { fieldManager: "other", force: true })
        const dry = yield* client.create(here, map("dry"), { dryRun: true })
        assert.strictEqual(dry.metadata.name, "dry")
        const missing = yield* Effect.flip(client.get(named("dry")))
        assert.strictEqual(missing.message, 'configmaps "dry" not found')
        const invalid = yield* Effect.flip(client.create(here, map("Not A Name")))
        assert.strictEqual(invalid.status.details?.causes?.[0]?.field, "metadata.name")
        yield* client.create(
          { resource: gvr("", "v1", "namespaces"), namespace: "" },
          { apiVersion: "v1", kind: "Namespace", metadata: { name: "other" } }
        )
        yield* client.create(here, { ...map("strict"), unknown: 1 }, { fieldValidation: "Warn" })
        assert.deepStrictEqual(warnings, ['unknown field "unknown"'])

        const byToken = effectClient(yield* connected("token"))
        assert.strictEqual((yield* byToken.get(named("a"))).metadata.uid, updated.metadata.uid)
        const gone = yield* byToken.delete(named("a"))
        assert.strictEqual(gone.kind, "Status")
        yield* byToken.deleteCollection(here)
        assert.strictEqual((yield* byToken.list(here)).items.length, 0)
      }).pipe(Effect.scoped, Effect.runPromise),
    30_000
  )

  it(
    "lists by pages and selectors, and streams a watch",
    () =>
      Effect.gen(function* () {
        const client = effectClient(yield* connected("cert"))
        for (let at = 0; at < 25; at++) {
          yield* client.create(here, {
            ...map(`page-${at}`),
            metadata: { name: `page-${at}`, namespace: "default", labels: { turn: String(at % 2) } }
          })
        }
        const first = yield* client.list(here, { limit: 10, labelSelector: "turn" })
        assert.deepStrictEqual([first.items.length, first.metadata.remainingItemCount], [10, undefined])
        const second = yield* client.list(here, {
          limit: 10,
          labelSelector: "turn",
          continue: first.metadata.continue ?? ""
        })
        assert.strictEqual(second.items.length, 10)
        assert.strictEqual(second.items[0]?.kind, "ConfigMap")
        assert.strictEqual((yield* client.list(here, { labelSelector: "turn=1" })).items.length, 12)
        assert.strictEqual((yield* client.list(here, { fieldSelector: "metadata.name=page-3" })).items.length, 1)
        const watching = yield* client.watch(here, { resourceVersion: first.metadata.resourceVersion }).pipe(
          Stream.take(3),
          Stream.map(({ object, type }) => `${type} ${object.metadata.name}`),
          Stream.runCollect,
          Effect.forkChild
        )
        yield* client.create(here, map("seen"))
        yield* client.patch(named("seen"), { type: "merge", body: { data: { a: "b" } } })
        yield* client.delete(named("seen"))
        assert.deepStrictEqual(yield* Fiber.join(watching), ["ADDED seen", "MODIFIED seen", "DELETED seen"])
        yield* client.deleteCollection(here)
      }).pipe(Effect.scoped, Effect.runPromise),
    30_000
  )

  for (const streaming of [true, false]) {
    it(
      `keeps an informer in step, ${streaming ? "streaming the first state" : "listing first"}`,
      () =>
        Effect.gen(function* () {
          const plain = yield* connected("cert")
          const client = effectClient(plain)
          yield* client.create(here, map("before"))
          // A list of whatever is at hand may be older than the last write: it has to be at hand first.
          const atHand = client.list(here, { resourceVersion: "0" })
          yield* Effect.repeat(Effect.delay(atHand, 10), {
            until: ({ items }) => items.map(({ metadata }) => metadata.name).join() === "before"
          })
          const told: Array<string> = []
          const informer = new Informer({ clockwork: machineClockwork, client: plain, collection: here, streaming })
          informer.addHandler({
            added: ({ metadata }, initial) => told.push(`+${metadata.name}${initial ? " at first" : ""}`),
            updated: (_before, { metadata }) => told.push(`=${metadata.name}`),
            deleted: ({ metadata }) => told.push(`-${metadata.name}`)
          })
          informer.start()
          yield* until(() => informer.hasSynced)
          yield* client.create(here, map("after"))
          yield* client.patch(named("after"), { type: "merge", body: { data: { a: "b" } } })
          yield* client.delete(named("before"))
          yield* until(() => told.length >= 4)
          assert.deepStrictEqual(told, ["+before at first", "+after", "=after", "-before"])
          informer.stop()
          yield* client.deleteCollection(here)
        }).pipe(Effect.scoped, Effect.runPromise),
      30_000
    )
  }

  it(
    "runs a controller that copies, under a leader's lease",
    () =>
      Effect.gen(function* () {
        const plain = yield* connected("token")
        const client = effectClient(plain)
        const informer = new Informer({
          clockwork: machineClockwork,
          client: plain,
          collection: here,
          labelSelector: "copy=yes"
        })
        const controller = makeController({
          name: "copier",
          clockwork: machineClockwork,
          workers: 4,
          watches: [{ informer, keys: objectKey }],
          reconcile: Effect.fnUntraced(function* (key) {
            const source = informer.store.get(key)
            const { name } = splitKey(key)
            if (source === undefined) return
            yield* client.create(here, { ...map(`${name}-copy`), data: source["data"] }).pipe(
              Effect.catchIf(
                ({ reason }) => reason === "AlreadyExists",
                () => Effect.succeed(source)
              )
            )
          })
        })
        const cancel = electLeader({
          clockwork: machineClockwork,
          client: plain,
          namespace: "default",
          name: "copier",
          identity: "me",
          started: () => {
            informer.start()
            controller.start()
          },
          stopped: () => controller.stop()
        })
        for (let at = 0; at < 20; at++) {
          yield* client.create(here, {
            ...map(`m-${at}`, { at: String(at) }),
            metadata: { name: `m-${at}`, labels: { copy: "yes" } }
          })
        }
        yield* client.list(here).pipe(
          Effect.delay(20),
          Effect.repeat({
            until: ({ items }) => items.filter(({ metadata }) => metadata.name?.endsWith("-copy")).length === 20
          })
        )
        cancel()
        informer.stop()
        const lease = { resource: gvr("coordination.k8s.io", "v1", "leases"), namespace: "default", name: "copier" }
        yield* client.get(lease).pipe(
          Effect.delay(20),
          Effect.repeat({
            until: ({ spec }) =>
              (spec as { holderIdentity?: string }).holderIdentity === undefined ||
              (spec as { holderIdentity: string }).holderIdentity === ""
          })
        )
        assert.strictEqual(controller.stats().failures, 0)
      }).pipe(Effect.scoped, Effect.runPromise),
    30_000
  )
})
