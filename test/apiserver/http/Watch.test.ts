// Watches: frames shared among watchers, the client's pace, and every way to end.
import { describe, expect, it } from "vitest"
import { Failures, type KubeObject } from "#kube"
import type { HeldEvent } from "#apiserver"
import { makeRig } from "./FrontRig.ts"

const watchPath = "/api/v1/namespaces/default/configmaps?watch=1&resourceVersion=5"
const configMap = (name: string): KubeObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: "default" }
})

const bookmark = (object: Partial<KubeObject["metadata"]>): HeldEvent => {
  const held = { apiVersion: "v1", kind: "ConfigMap", metadata: object }
  return { type: "BOOKMARK", held: { object: held, revision: 9, encoded: () => Buffer.from(JSON.stringify(held)) } }
}

describe("a watch", () => {
  it("begins at once and sends each event as one line", () => {
    const rig = makeRig()
    const watch = rig.send("GET", watchPath)
    expect([watch.status, watch.ended]).toEqual([200, false])
    rig.api.put("configmaps", configMap("a"))
    rig.api.put("configmaps", configMap("a"))
    expect(watch.frames.map(({ object, type }) => [type, object.metadata.name])).toEqual([
      ["ADDED", "a"],
      ["MODIFIED", "a"]
    ])
    expect(rig.api.requests[0]).toMatchObject({ verb: "watch", options: { resourceVersion: "5" } })
  })

  it("makes a frame once for all who watch", () => {
    const rig = makeRig()
    const [first, second] = [rig.send("GET", watchPath), rig.send("GET", watchPath)]
    rig.api.put("configmaps", configMap("a"))
    expect(first.chunks[0]).toBe(second.chunks[0])
  })

  it("asks for a pause when the client does not take, and goes on when it does", () => {
    const rig = makeRig()
    const watch = rig.send("GET", watchPath)
    const [listener] = [...rig.api.watchers.keys()]
    const held = rig.api.put("configmaps", configMap("a"))
    watch.flowing = false
    expect(listener?.event({ type: "MODIFIED", held })).toBe(false)
    watch.stream?.onDrain?.()
    expect(rig.api.resumed).toBe(1)
  })

  it("ends with its time-out, by default between 30 and 60 minutes", () => {
    const rig = makeRig()
    const short = rig.send("GET", `${watchPath}&timeoutSeconds=3`)
    const usual = rig.send("GET", watchPath)
    rig.clockwork.run(3000)
    expect([short.ended, usual.ended, rig.api.watchers.size]).toEqual([true, false, 1])
    rig.clockwork.run(1_790_000)
    expect(usual.ended).toBe(false)
    rig.clockwork.run(1_810_000)
    expect([usual.ended, rig.api.watchers.size, rig.clockwork.openTimers]).toEqual([true, 0, 0])
  })

  it("answers a failure at the start, and a 410 as an event", () => {
    const rig = makeRig()
    rig.api.answer = () => Failures.badRequest("no")
    expect(rig.send("GET", watchPath).status).toBe(400)
    rig.api.answer = () => Failures.expired("too old resource version: 5 (9)")
    const late = rig.send("GET", watchPath)
    expect([late.status, late.ended]).toEqual([200, true])
    expect(late.frames).toEqual([
      { type: "ERROR", object: expect.objectContaining({ kind: "Status", code: 410, reason: "Expired" }) }
    ])
  })

  it("ends in good order when the server drains or the connection says goodbye", () => {
    const rig = makeRig()
    const [first, second] = [rig.send("GET", watchPath), rig.send("GET", watchPath)]
    second.onGoAway?.()
    expect([first.ended, second.ended]).toEqual([false, true])
    rig.front.drain()
    expect([first.ended, rig.api.watchers.size, rig.front.openWatches()]).toEqual([true, 0, 0])
  })

  it("stops when the client is gone", () => {
    const rig = makeRig()
    const watch = rig.send("GET", watchPath)
    watch.onClose?.()
    expect([rig.api.watchers.size, rig.clockwork.openTimers]).toEqual([0, 0])
  })

  it("names the columns of Tables in the first event only", () => {
    const rig = makeRig()
    const headers = { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" }
    const watch = rig.send("GET", watchPath, { headers })
    rig.api.put("configmaps", configMap("a"))
    rig.api.put("configmaps", configMap("b"))
    rig.api.tell("configmaps", bookmark({ resourceVersion: "9" }))
    const [first, second, last] = watch.frames
    expect(first.object.columnDefinitions).toHaveLength(2)
    expect([second.object.columnDefinitions, second.object.rows[0].cells[0]]).toEqual([null, "b"])
    expect(last).toMatchObject({
      type: "BOOKMARK",
      object: { kind: "Table", metadata: { resourceVersion: "9" }, rows: [{ cells: ["", "<unknown>"] }] }
    })
  })

  it("sends metadata alone, and refuses YAML", () => {
    const rig = makeRig()
    const headers = { accept: "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io" }
    const watch = rig.send("GET", watchPath, { headers })
    rig.api.put("configmaps", configMap("a"))
    expect(watch.frames[0].object).toMatchObject({ kind: "PartialObjectMetadata", metadata: { name: "a" } })
    expect(rig.send("GET", watchPath, { headers: { accept: "application/yaml" } }).status).toBe(406)
  })

  it("follows one object by the old path", () => {
    const rig = makeRig()
    rig.send("GET", "/api/v1/watch/namespaces/default/configmaps/a")
    expect(rig.api.requests.at(-1)).toMatchObject({ verb: "watch", options: { fieldSelector: "metadata.name=a" } })
  })

  it("is counted while it is open, with its events", () => {
    const rig = makeRig()
    const watch = rig.send("GET", watchPath)
    rig.api.put("configmaps", configMap("a"))
    const during = rig.send("GET", "/metrics").text
    expect(during).toMatch(/apiserver_longrunning_requests\{[^}]*verb="WATCH"[^}]*\} 1/)
    expect(during).toContain(`apiserver_watch_events_total{group="",version="v1",resource="configmaps"} 1`)
    watch.onClose?.()
    expect(rig.send("GET", "/metrics").text).not.toMatch(/apiserver_longrunning_requests\{/)
  })
})
