// Display modes: their ids and names, the shape that each gives a tree, and that neither order nor replica matters.
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import {
  type DisplayMode,
  DisplayModes,
  objectText,
  parseTransformFile,
  shippedModes,
  type TraceView,
  TraceViews
} from "#tracing"
import { linkSelector } from "../../../core/tracing/view/LinkSelector.ts"
import { matcherOf } from "../../../core/tracing/view/StringFilter.ts"
import { parseViewId, rangeUs, windowRange, writeViewId } from "../../../core/tracing/view/ViewId.ts"
import { deploymentStory, key, MINUTE, SECOND, START_US, Story } from "./Story.ts"

const modes = new DisplayModes(parseTransformFile(shippedModes))
const modeOf = (name: string): DisplayMode => {
  const mode = modes.ofName(name)
  assert.isDefined(mode, name)
  return mode
}
const END_US = START_US + MINUTE

/** Names by depth, with how many logs each has. */
const outline = ({ spans }: TraceView): ReadonlyArray<string> => {
  const depths = new Map<string, number>()
  return spans.map((span) => {
    const depth = span.parentSpanId === "" ? 0 : (depths.get(span.parentSpanId) ?? -1) + 1
    depths.set(span.spanId, depth)
    const name = span.name.replace(/ \/ \d\d:.*/, "")
    return `${"  ".repeat(depth)}${span.service}: ${name}${span.logs.length > 0 ? ` (${span.logs.length})` : ""}`
  })
}

describe("display modes", () => {
  it("have the original's ids and names, the default first", () => {
    const named = Object.fromEntries(modes.all.map(({ id, name }) => [name, id]))
    assert.strictEqual(modes.all[0].name, "tracing")
    assert.strictEqual(modes.all.length, 20)
    assert.deepInclude(named, {
      tree: "00000000",
      timeline: "10000000",
      tracing: "20000000",
      grouped: "30000000",
      "tree [full tree]": "01000000",
      "tracing [ancestors]": "22000000",
      "grouped [owned objects]": "34000000"
    })
  })

  it("show a Deployment with what it made, one object one span", () => {
    const { story, web } = deploymentStory()
    const views = new TraceViews(story.store(), modes)
    const view = views.view(modeOf("tracing [owned objects]"), web, START_US, END_US)
    assert.isDefined(view)
    assert.deepStrictEqual(outline(view), [
      "deployments: shop/web (1)",
      "  replicasets: shop/web-5d4f (1)",
      "    pods: shop/web-5d4f-a (3)",
      "    pods: shop/web-5d4f-b (3)",
      "    pods: shop/web-5d4f-c (2)"
    ])
    const [root] = view.spans
    assert.match(root.name, /^shop\/web \/ 12:00:07\.\.12:00:08$/)
    assert.deepStrictEqual(root.logs[0].fields, {
      title: "audit",
      audit: "ana create",
      userAgent: "kubectl/v1.37.2",
      sourceIP: "10.0.0.1"
    })
  })

  it("show a tree with every request, all flat in a timeline, and groups by source", () => {
    const { story, web } = deploymentStory()
    const views = new TraceViews(story.store(), modes)
    const shown = (name: string) => {
      const view = views.view(modeOf(name), web, START_US, END_US)
      assert.isDefined(view)
      return outline(view)
    }
    assert.deepStrictEqual(shown("tree"), ["deployments: shop/web", "  audit: ana create"])
    const timeline = shown("timeline [owned objects]")
    assert.strictEqual(timeline.filter((line) => /^ {2}\S/.test(line)).length, 10)
    assert.strictEqual(timeline.length, 11)
    const grouped = shown("grouped [owned objects]").map((line) => line.trim())
    assert.strictEqual(grouped.filter((line) => line === "audit: audit (2)").length, 2)
    assert.include(grouped, "pods: shop/web-5d4f-c (1)")
  })

  it("go up to ancestors and nowhere else, up and down in a full tree, and nowhere without a modifier", () => {
    const { pods, story } = deploymentStory()
    const views = new TraceViews(story.store(), modes)
    const count = (name: string) => views.view(modeOf(name), pods[2], START_US, END_US)?.spans.length
    assert.strictEqual(count("tracing"), 1)
    assert.strictEqual(count("tracing [ancestors]"), 3)
    assert.strictEqual(count("tracing [full tree]"), 5)
  })

  it("refer to what they do not show by ids of views", async () => {
    const { story, web } = deploymentStory()
    const views = new TraceViews(story.store(), modes)
    const view = views.view(modeOf("tracing"), web, START_US, END_US)
    const [reference] = view?.spans[0].links ?? []
    assert.isDefined(reference)
    const answer = await new Promise((resolve) => new TraceViews(story.store(), modes).ofId(reference.traceId, resolve))
    assert.nestedPropertyVal(answer, "kind", "found")
    assert.nestedPropertyVal(answer, "view.object.name", "web-5d4f")
    assert.nestedPropertyVal(answer, "view.spans[0].spanId", reference.spanId)
  })

  it("refuse files that do not hold together, naming the field", () => {
    const refuse = (change: (text: string) => string, message: RegExp) =>
      assert.throws(() => new DisplayModes(parseTransformFile(change(shippedModes))), message)
    refuse(
      (text) => text.replace("batchName: final", "batchName: finall"),
      /configs\[0\]\.steps\[1\]\.batchName: no batch finall/
    )
    refuse((text) => text.replace('id: "10000000"', 'id: "00000000"'), /configs\[1\]\.id: 00000000 is given twice/)
    refuse((text) => text.replace('defaultConfig: "20000000"', 'defaultConfig: "2f000000"'), /defaultConfig: no mode/)
    refuse((text) => text.replace("{ kind: CompactDuration }", "{ kind: Compact }"), /file: /)
    refuse(
      (text) => text.replace("matchesPseudoType: linkClass", 'matchesPseudoType: { regex: "(" }'),
      /regular expression/
    )
    refuse(() => "configs: [", /file: /)
  })
})

describe("filters", () => {
  it("hold for what they say and for nothing else", () => {
    assert.isTrue(matcherOf({ caseInsensitive: "Audit" })("aUDIT"))
    assert.isFalse(matcherOf({ caseInsensitive: "Audit" })("event"))
    assert.isTrue(matcherOf({ oneOf: [], negate: true })("anything"))
    assert.isFalse(matcherOf({ regex: "^a", then: { exact: "ab" } })("ac"))
    assert.isTrue(matcherOf({ regex: "^a", then: { exact: "ab" } })("ab"))
  })
})

describe("links", () => {
  it("are followed once around a cycle, under every parent, and no further than a view may show", () => {
    const story = new Story()
    const [a, b, c] = ["a", "b", "c"].map((name) => key("configmaps", name))
    for (const object of [a, b, c]) story.audit(object, START_US, "create")
    story.link(a, b, START_US).link(b, a, START_US).link(a, c, START_US).link(b, c, START_US)
    const views = new TraceViews(story.store(), modes)
    const view = views.view(modeOf("tracing [full tree]"), a, START_US, END_US)
    assert.isDefined(view)
    assert.strictEqual(view.spans.length, 3)
    assert.strictEqual(view.spans.filter(({ parentSpanId }) => parentSpanId === "").length, 1)
    const own = view.spans.flatMap(({ links }) => links).filter(({ traceId }) => traceId === view.traceId)
    assert.strictEqual(own.length, 2)
    const ids = new Set(view.spans.map(({ spanId }) => spanId))
    assert.isTrue(own.every(({ spanId }) => ids.has(spanId)))
  })

  it("that are too many are announced", () => {
    const story = new Story()
    const node = key("nodes", "n1")
    story.audit(node, START_US, "create")
    for (let at = 0; at < 620; at++) story.link(node, story.pod(node, `p${at}`, START_US + at, at + 1), START_US)
    const view = new TraceViews(story.store(), modes).view(modeOf("tracing [owned objects]"), node, START_US, END_US)
    assert.deepStrictEqual(view?.spans[0].warnings[0], "121 linked objects were left out: a view shows 500")
    assert.strictEqual(view?.spans.length, 500)
  })

  it("are admitted by distance and direction", () => {
    const [parent, child] = [key("deployments", "d"), key("replicasets", "r")]
    const hop = (fromParent: boolean) => ({ parent, child, fromParent, class: "children" })
    const down = linkSelector({ modifierClass: "", upwardDistance: 0, downwardDistance: 1 })
    assert.isUndefined(down.admit(hop(false)))
    assert.isUndefined(down.admit(hop(true))?.admit(hop(true)))
    const turning = linkSelector({ modifierClass: "", includeSiblings: true, upwardDistance: 1, downwardDistance: 1 })
    assert.isDefined(turning.admit(hop(false))?.admit(hop(true)))
    const straight = linkSelector({ modifierClass: "", upwardDistance: 1, downwardDistance: 1 })
    assert.isUndefined(straight.admit(hop(false))?.admit(hop(true)))
  })
})

describe("incarnations of one name", () => {
  it("stand apart and in order", () => {
    const story = new Story()
    const pod = key("pods", "web-0")
    story.audit(pod, START_US, "create", { uid: "one" }).audit(pod, START_US + SECOND, "delete", { uid: "one" })
    story.audit(pod, START_US + 2 * SECOND, "create", { uid: "two" })
    const view = new TraceViews(story.store(), modes).view(modeOf("tree"), pod, START_US, END_US)
    assert.isDefined(view)
    const lives = view.spans.filter(({ name }) => name.includes("uid "))
    assert.deepStrictEqual(
      lives.map(({ name }) => name),
      ["pods/web-0 (uid one)", "pods/web-0 (uid two)"]
    )
    assert.strictEqual(lives[1].links[0].spanId, lives[0].spanId)
  })
})

describe("views", () => {
  it("are the same whatever order facts came in and whichever replica makes them", () => {
    const { story, web } = deploymentStory()
    const expected = new TraceViews(story.store(), modes).view(modeOf("tree [owned objects]"), web, START_US, END_US)
    fc.assert(
      fc.property(fc.shuffledSubarray(story.facts, { minLength: story.facts.length }), (facts) => {
        const views = new TraceViews(story.store({ order: () => [...facts, ...facts.slice(0, 5)] }), modes)
        const view = views.view(modeOf("tree [owned objects]"), web, START_US, END_US)
        assert.deepStrictEqual(view?.spans, expected?.spans)
      })
    )
  })

  it("are found again from their ids alone", async () => {
    const { story, web } = deploymentStory()
    const store = story.store()
    const first = new TraceViews(store, modes).view(modeOf("grouped [owned objects]"), web, START_US, END_US)
    assert.isDefined(first)
    const again = await new Promise((resolve) => new TraceViews(store, modes).ofId(first.traceId, resolve))
    assert.nestedPropertyVal(again, "kind", "found")
    assert.deepStrictEqual((again as { readonly view: TraceView }).view.spans, first.spans)
    const other = first.traceId.replace(/^ff34000000/, "ff00000000")
    const exclusive = await new Promise((resolve) =>
      new TraceViews(store, modes).ofId(`ff00000000${other.slice(10)}`, resolve)
    )
    assert.nestedPropertyVal(exclusive, "view.mode.name", "tree")
    for (const unknown of ["ff2f000000e1e3e70000000000000000", "00000000000000000000000000000000", "x"]) {
      assert.nestedPropertyVal(
        await new Promise((resolve) => new TraceViews(store, modes).ofId(unknown, resolve)),
        "kind",
        "unknown"
      )
    }
  })

  it("have ids that hold mode, range and object", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 0xffffffff }),
        fc.bigInt({ min: 0n, max: 2n ** 34n - 1n }),
        fc.integer({ min: START_US, max: START_US + 1e13 }),
        fc.integer({ min: 1, max: 1e13 }),
        fc.integer({ min: 60, max: 7200 }),
        (number, hash, fromUs, lengthUs, windowSeconds) => {
          const mode = number.toString(16).padStart(8, "0")
          const range = windowRange(fromUs, fromUs + lengthUs, windowSeconds)
          const id = writeViewId({ mode, range, hash })
          assert.deepStrictEqual(parseViewId(id), { mode, range, hash })
          const held = rangeUs(range, windowSeconds)
          const longest = windowSeconds * 1e6 * 2 ** 15
          if (lengthUs <= longest / 2) assert.isTrue(held.fromUs <= fromUs && held.toUs >= fromUs + lengthUs)
        }
      )
    )
  })

  it("of a search are one for each family, newest first, and none for what nobody asked", async () => {
    const { pods, story, web } = deploymentStory()
    const views = new TraceViews(story.store(), modes)
    const find = (mode: string, attributes: Readonly<Record<string, string>>) =>
      new Promise<ReadonlyArray<TraceView>>((resolve) =>
        views.search(modeOf(mode), { attributes, fromUs: START_US, toUs: END_US, limit: 10 }, END_US, resolve)
      )
    assert.strictEqual((await find("tracing [full tree]", { namespace: "shop" })).length, 1)
    assert.strictEqual((await find("tracing", { namespace: "shop" })).length, 5)
    assert.strictEqual((await find("tracing", { namespace: "other" })).length, 0)
    const byUser = await find("tracing", { username: "ana" })
    assert.deepStrictEqual(
      byUser.map(({ object }) => objectText(object)),
      [objectText(web)]
    )
    const [warned] = await find("tracing", { type: "Warning" })
    assert.deepStrictEqual(warned.object, pods[2])
  })
})
