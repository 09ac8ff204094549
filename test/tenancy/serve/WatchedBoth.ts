// A tenant's watch beside a watch of the same namespace at the kube-apiserver behind: what one tells the other tells, in every form
// and from every beginning, though upstream is watched once for all.
import { readFileSync } from "node:fs"
import { request } from "node:https"
import { assert } from "vitest"
import { chooseAccess, type KubeAccess, KubeconfigInvalid, parseKubeconfig } from "#kube"
import { until, type Zoo } from "./Zoo.ts"

interface Open {
  code: number
  text: string
  readonly close: () => void
}

interface Metadata {
  readonly name?: string
  readonly namespace?: string
  readonly resourceVersion?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
}

interface Line {
  readonly type: string
  readonly object: {
    readonly kind: string
    readonly code?: number
    readonly metadata?: Metadata
    readonly columnDefinitions?: ReadonlyArray<unknown> | null
    readonly rows?: ReadonlyArray<{
      readonly cells: ReadonlyArray<unknown>
      readonly object: { metadata: Metadata } | null
    }>
  }
}

const accepts = [
  "application/json",
  "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
  "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
]

/** What a watch told, without what depends on the moment: bookmarks but the one that ends the state, and the order within it. */
const told = (body: string, prefix: string): ReadonlyArray<string> => {
  const lines = body
    .slice(0, body.lastIndexOf("\n") + 1)
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Line)
  return lines
    .flatMap(({ object, type }) => {
      const row = object.rows?.[0]
      const metadata = row?.object?.metadata ?? object.metadata ?? {}
      const ends = metadata.annotations?.["k8s.io/initial-events-end"]
      if (type === "BOOKMARK") return ends === undefined ? [] : ["BOOKMARK that ends the state"]
      const { labels, name, namespace = "", resourceVersion } = metadata
      const where = namespace.startsWith(prefix) ? namespace.slice(prefix.length) : namespace
      return [
        JSON.stringify([type, object.kind, object.code, where, name, resourceVersion, labels, row?.cells.slice(0, 2)])
      ]
    })
    .sort()
}

/** A watch as bytes; `head` is its code, `text` grows until it is closed. */
const open = (access: KubeAccess, path: string, accept: string): Open => {
  const { cluster, user } = access
  const text = (source: KubeAccess["user"]["key"]) =>
    source !== undefined && "text" in source ? source.text : undefined
  const authorization = user.token === undefined ? {} : { authorization: `Bearer ${user.token}` }
  const options = { rejectUnauthorized: false, cert: text(user.certificate), key: text(user.key) }
  const watch: Open = { code: 0, text: "", close: () => sent.destroy() }
  const sent = request(
    `${cluster.server}${path}`,
    { ...options, headers: { accept, ...authorization } },
    (response) => {
      watch.code = response.statusCode ?? 0
      response.setEncoding("utf8")
      response.on("data", (chunk: string) => {
        watch.text += chunk
      })
      response.on("error", () => undefined)
    }
  )
  sent.on("error", () => undefined)
  sent.end()
  return watch
}

const accessOf = (zoo: Zoo, who: string): KubeAccess => {
  const config = parseKubeconfig(readFileSync(zoo.kubeconfig(who), "utf8"), who)
  if (config instanceof KubeconfigInvalid) throw config
  const access = chooseAccess(config, who)
  if (access instanceof KubeconfigInvalid) throw access
  return access
}

/** The beginnings and selections of watches: what was before a version, and at it, is there. */
const queries = (first: string, from: string): ReadonlyArray<string> => {
  const stream = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
  return [
    "",
    "resourceVersion=0",
    `resourceVersion=${first}`,
    `resourceVersion=${from}&labelSelector=app%3Dx`,
    `resourceVersion=${first}&fieldSelector=metadata.name%3Dw-1`,
    `resourceVersion=${first}&fieldSelector=metadata.name!%3Dw-1,metadata.namespace%3DNAMESPACE`,
    `resourceVersion=${first}&includeObject=None`,
    "fieldSelector=metadata.name%3Dw-2",
    stream,
    `${stream}&resourceVersion=${from}`,
    `sendInitialEvents=false&resourceVersionMatch=NotOlderThan&resourceVersion=${from}`,
    "resourceVersion=1",
    "resourceVersion=nonsense",
    `resourceVersion=${from}&fieldSelector=spec.nope%3D1`,
    "sendInitialEvents=true"
  ]
}

/** Fails unless both tell the same, in every form and from every beginning, and a watch over all namespaces says its columns once. */
export const watchBoth = async (zoo: Zoo): Promise<void> => {
  const own = "/api/v1/namespaces/default/configmaps"
  const there = "/api/v1/namespaces/acme01-default/configmaps"
  const map = (name: string, app: string): string =>
    JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name, labels: { app } }, data: { a: "b" } })
  const write = async (method: string, path: string, body?: string): Promise<string> => {
    const headers = method === "PATCH" ? { "content-type": "application/merge-patch+json" } : {}
    const answer = await zoo.ask("acme01", method, path, { headers, ...(body === undefined ? {} : { body }) })
    assert.isBelow(answer.code, 300, answer.body)
    return (JSON.parse(answer.body) as { metadata: Metadata }).metadata.resourceVersion ?? ""
  }
  const first = await write("POST", own, map("w-0", "x"))
  await write("POST", own, map("w-1", "x"))
  const from = await write("POST", own, map("w-2", "y"))
  const [upstream, tenant] = [accessOf(zoo, "upstream"), accessOf(zoo, "acme01")]
  const pairs = queries(first, from).flatMap((query) =>
    accepts.map((accept) => ({
      asked: `${query} ${accept}`,
      direct: open(upstream, `${there}?watch=true&${query.replace("NAMESPACE", "acme01-default")}`, accept),
      tenant: open(tenant, `${own}?watch=true&${query.replace("NAMESPACE", "default")}`, accept)
    }))
  )
  const over = open(tenant, "/api/v1/configmaps?watch=true", accepts[1] ?? "")
  await until("all have begun", async () => pairs.every((pair) => pair.direct.code > 0 && pair.tenant.code > 0))
  await write("PATCH", `${own}/w-1`, JSON.stringify({ metadata: { labels: { app: "z" } } }))
  await write("PATCH", `${own}/w-2`, JSON.stringify({ metadata: { labels: { app: "x" } } }))
  await write("DELETE", `${own}/w-0`)
  await write("POST", own, map("w-3", "x"))
  const last = pairs[0]?.direct
  await until("the last is told", async () => [last, over].every((watch) => watch?.text.includes('"w-3"') === true))
  const differs = (pair: (typeof pairs)[number]): boolean =>
    pair.direct.code === 200 && told(pair.tenant.text, "").join() !== told(pair.direct.text, "acme01-").join()
  await until("all tell the same", async () => !pairs.some(differs)).catch(() => undefined)
  for (const pair of pairs) {
    assert.strictEqual(pair.tenant.code, pair.direct.code, `${pair.asked}: ${pair.tenant.text}`)
    if (pair.direct.code !== 200) continue
    assert.deepStrictEqual(told(pair.tenant.text, ""), told(pair.direct.text, "acme01-"), pair.asked)
  }
  const lines = over.text.split("\n").filter((line) => line !== "")
  assert.deepStrictEqual(
    lines.map((line) => line.includes('"columnDefinitions":[{')),
    lines.map((_, at) => at === 0)
  )
  assert.notInclude(over.text, "acme01-")
  for (const pair of pairs) for (const watch of [pair.direct, pair.tenant]) watch.close()
  over.close()
}
