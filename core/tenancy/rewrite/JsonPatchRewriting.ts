// JSON Patch, operation by operation: paths lead to rules, and values are translated under them.
// Owns pointers; what reaches into references, or moves what rules look at, needs the whole object.
import { afterContainer, afterGap, bytesOf, textOf } from "./Bytes.ts"
import { BodyInvalid, type Refused, WholeNeeded } from "./Contract.ts"
import { RuleNode } from "./RuleNode.ts"
import type { Rewriter } from "./Rewriter.ts"
import { elementsOf, memberOf } from "./Parts.ts"

interface Operation {
  readonly op?: unknown
  readonly path?: unknown
  readonly from?: unknown
}

/** Where a pointer leads: rules or none. */
type Place = RuleNode | "nothing" | WholeNeeded

const whole = (reason: string): WholeNeeded => new WholeNeeded(reason)

export class JsonPatchRewriting {
  readonly #rewriter: Pick<Rewriter, "walk" | "names">
  readonly #rules: RuleNode

  constructor(rewriter: Pick<Rewriter, "walk" | "names">, rules: RuleNode) {
    this.#rewriter = rewriter
    this.#rules = rules
  }

  rewrite(body: Uint8Array): Uint8Array | Refused | BodyInvalid | WholeNeeded {
    const operations = operationsOf(body)
    if (operations === undefined) return new BodyInvalid("a JSON patch is a list of operations")
    const written: Array<string> = []
    for (const operation of operations) {
      const other = this.#operation(operation)
      if (typeof other !== "string") return other
      written.push(other)
    }
    return bytesOf(`[${written.join(",")}]`)
  }

  #operation(bytes: Uint8Array): string | Refused | BodyInvalid | WholeNeeded {
    const text = textOf(bytes)
    const { from, op, path } = JSON.parse(text) as Operation
    if (typeof path !== "string") return new BodyInvalid("an operation of the JSON patch has no path")
    const to = this.#place(path)
    if (to instanceof WholeNeeded) return to
    if (op === "move" || op === "copy") {
      const source = typeof from === "string" ? this.#place(from) : "nothing"
      return to === "nothing" && source === "nothing" ? text : whole("the patch moves what the translation looks at")
    }
    if (to === "nothing") return text
    if (op === "remove")
      return to.owed === undefined && to.absent === undefined
        ? text
        : whole("the patch removes what the translation adds to")
    const value = memberOf(bytes, "value")
    if (value === undefined) return text
    if (op === "test" && !isScalar(value.bytes)) return whole("the patch tests a part that the translation changes")
    const other = this.#rewriter.walk(to, value.bytes, { direction: "up", patch: false, add: op !== "test" })
    if (!(other instanceof Uint8Array)) return other ?? whole("the patch writes what is hidden")
    return textOf(bytes.subarray(0, value.start)) + textOf(other) + textOf(bytes.subarray(value.end))
  }

  #place(pointer: string): Place {
    let node: RuleNode | undefined = this.#rules.choice === undefined ? this.#rules : this.#root()
    if (pointer === "") return node ?? "nothing"
    for (const raw of pointer.slice(1).split("/")) {
      const token = raw.replaceAll("~1", "/").replaceAll("~0", "~")
      if (node === undefined) return "nothing"
      if (node.choice !== undefined || node.list !== undefined) return whole("the patch changes a part of a reference")
      if (
        node.whole ||
        node.places !== undefined ||
        node.keys?.up(this.#rewriter.names, token) !== (node.keys === undefined ? undefined : token)
      ) {
        return whole("the patch reaches into what the translation adds to")
      }
      const isItem = /^(-|\d+)$/.test(token)
      const next: RuleNode | undefined = node.fields?.get(token) ?? node.values ?? (isItem ? node.items : undefined)
      if (
        next !== undefined &&
        node.owed?.some((owed) => owed.node === next && owed.key !== "metadata" && owed.key !== "labels") === true
      ) {
        return whole("the patch writes what is the platform's")
      }
      node = next
    }
    if (node === undefined) return "nothing"
    return node.whole || node.addition !== undefined ? whole("the patch replaces what the translation adds to") : node
  }

  /** A patch does not say its kind: it is one of the resource's own. */
  #root(): RuleNode | undefined {
    const { choice } = this.#rules
    const chosen = choice?.choose(
      this.#rewriter.names,
      choice.by.map(() => undefined),
      "up"
    )
    if (!(chosen instanceof RuleNode)) return undefined
    return chosen.choice === undefined ? chosen : new JsonPatchRewriting(this.#rewriter, chosen).#root()
  }
}

const isScalar = (bytes: Uint8Array): boolean => bytes[0] !== 123 && bytes[0] !== 91

const operationsOf = (body: Uint8Array): ReadonlyArray<Uint8Array> | undefined => {
  try {
    const parsed: unknown = JSON.parse(textOf(body))
    if (!Array.isArray(parsed) || !parsed.every((item) => typeof item === "object" && item !== null)) return undefined
    const start = afterGap(body, 0, body.length)
    afterContainer(body, start, body.length)
    return elementsOf(body, start)
  } catch {
    return undefined
  }
}
