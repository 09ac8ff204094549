// The answers over HTTP: why one object does not get on, what it made, and what is stuck anywhere.
// Owns paths, parameters and JSON; refuses to judge.
import type { Clockwork } from "#kube"
import type { HttpExchange } from "#net"
import { answerJson, type Asked, BadParameter } from "../api/Answering.ts"
import { objectParameter } from "../api/ObjectParameter.ts"
import type { SpanStore } from "../store/SpanStore.ts"
import type { Answer } from "./Answer.ts"
import { answersText, countsOf, familyText, stateOf, stuckText } from "./FamilyText.ts"
import { stuck } from "./Stuck.ts"
import { type Member, why } from "./Why.ts"

export class AnswersApi {
  private readonly store: SpanStore
  private readonly clockwork: Pick<Clockwork, "defer" | "now">

  constructor(store: SpanStore, clockwork: Pick<Clockwork, "defer" | "now">) {
    this.store = store
    this.clockwork = clockwork
  }

  /** Answers /answers/v1/why, /answers/v1/trace and /answers/v1/stuck; false for any other path. */
  serve({ exchange, parts, query }: Asked): boolean {
    const [first, version, name] = parts
    if (first !== "answers" || version !== "v1" || exchange.method !== "GET") return false
    try {
      return this.answer(name, { exchange, parts, query })
    } catch (error) {
      if (!(error instanceof BadParameter)) throw error
      answerJson(exchange, 400, { error: error.message, parameter: error.parameter })
      return true
    }
  }

  private answer(name: string, { exchange, query }: Asked): boolean {
    const nowUs = atParameter(query) ?? this.clockwork.now() * 1000
    const isText = query.get("format") === "text"
    switch (name) {
      case "why":
      case "trace": {
        const found = why(this.store, objectParameter(query, this.store), nowUs)
        const { answers, known, leftOut, member, object } = found
        const status = known ? 200 : 404
        if (isText) {
          answerText(exchange, status, name === "why" ? answersText(found) : familyText(found, nowUs))
          return true
        }
        const family =
          name === "trace" && member !== undefined ? { family: memberJson(member, nowUs), made: countsOf(member) } : {}
        answerJson(exchange, status, { object, known, answers: answers.map(answerJsonOf), leftOut, ...family })
        return true
      }
      case "stuck": {
        const cluster = query.get("cluster") ?? ""
        const options = { clockwork: this.clockwork, nowUs, ...(cluster === "" ? {} : { cluster }) }
        stuck(this.store, options, (found) => {
          if (isText) return answerText(exchange, 200, stuckText(found))
          const { answers, cut, judged } = found
          answerJson(exchange, 200, { answers: answers.map(answerJsonOf), judged, cut })
        })
        return true
      }
      default:
        return false
    }
  }
}

const answerText = (exchange: HttpExchange, status: number, lines: ReadonlyArray<string>): void =>
  exchange.respond(status, [["content-type", "text/plain; charset=utf-8"]], `${lines.join("\n")}\n`)

/** A time of asking other than now, in microseconds since the epoch. */
const atParameter = (query: URLSearchParams): number | undefined => {
  const text = query.get("at") ?? ""
  if (text === "") return undefined
  if (!/^\d{1,16}$/.test(text)) throw new BadParameter("at", "must be microseconds since the epoch")
  return Number(text)
}

const answerJsonOf = ({ reasonAtUs, ...rest }: Answer) => (reasonAtUs === undefined ? rest : { ...rest, reasonAtUs })

const memberJson = ({ answers, children, life }: Member, nowUs: number): unknown => ({
  object: life.object,
  uid: life.uid,
  state: stateOf(life, nowUs),
  gone: life.gone,
  held: answers.map(({ kind }) => kind),
  children: children.map((child) => memberJson(child, nowUs))
})
