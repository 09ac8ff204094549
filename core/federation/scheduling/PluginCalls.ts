// Attempts that ask webhook plugins: the steps of scheduling, with calls between them.
// Owns how often a plugin is called (once for all clusters where it can answer that) and when it is given up; refuses sockets, which a
// transport has, and retries: an attempt that a plugin left in doubt is made again.
import type { JsonObject } from "#kube"
import type { PluginWebhook } from "../api/SchedulingProfile.ts"
import { PluginFailed } from "../FederationError.ts"
import type { Outcome, PluginAnswer, PluginQuestion, ScheduleRequest } from "./Outcome.ts"
import { answerOf, batchAnswer, batchBody, eachBody, unitPayload, type Verdict, verdictOf } from "./PluginPayload.ts"
import { scheduleSteps } from "./Schedule.ts"

/** Posts JSON and hands over the answer's JSON, or an error that says why there is none; never before it has returned. */
export type PluginTransport = (
  url: string,
  body: JsonObject,
  timeoutMs: number,
  done: (answer: { readonly json: unknown } | Error) => void
) => void

/** The plugins outside this process. */
export interface Plugins {
  readonly webhook: (name: string) => PluginWebhook | undefined
  readonly transport: (webhook: PluginWebhook) => PluginTransport
}

/** Calls about one cluster that are under way at once. */
const CALLS_MAX = 16
/** A plugin that fails so often in a row is not asked about the other clusters. */
const FAILURES_MAX = 3

type Answered = (answer: PluginAnswer | PluginFailed) => void

const urlOf = ({ paths, urlPrefix }: PluginWebhook, point: PluginQuestion["point"]): string =>
  `${urlPrefix.replace(/\/$/, "")}/${(paths[point] ?? "").replace(/^\//, "")}`

/** One call about each cluster, as KubeAdmiral's plugins expect it. */
const askEach = (question: PluginQuestion, webhook: PluginWebhook, post: PluginTransport, done: Answered): void => {
  const { clusters, point } = question
  const unit = unitPayload(question)
  const verdicts = new Array<Verdict | undefined>(clusters.length).fill(undefined)
  let next = 0
  let running = 0
  let failures = 0
  let why = ""
  let finished = false
  const finish = (): void => {
    if (finished) return
    finished = true
    if (verdicts.some((verdict) => verdict !== undefined)) return done(answerOf(question, verdicts))
    done(new PluginFailed({ plugin: question.plugin, point, reason: why || "it answered about no cluster" }))
  }
  const isOver = (): boolean => next >= clusters.length || failures >= FAILURES_MAX
  const proceed = (): void => {
    while (running < CALLS_MAX && !isOver()) {
      const at = next++
      running++
      post(urlOf(webhook, point), eachBody(unit, clusters[at]), webhook.timeoutMs, (answer) => {
        running--
        verdicts[at] = answer instanceof Error ? undefined : verdictOf(answer.json, point)
        failures = verdicts[at] === undefined ? failures + 1 : 0
        if (answer instanceof Error) why = answer.message
        proceed()
      })
    }
    if (running === 0 && isOver()) finish()
  }
  proceed()
}

/** Asks a plugin. */
export const askPlugin = (question: PluginQuestion, { transport, webhook }: Plugins, done: Answered): void => {
  const { plugin, point } = question
  const found = webhook(plugin)
  const fail = (reason: string): void => done(new PluginFailed({ plugin, point, reason }))
  if (found === undefined) return fail("there is no SchedulerPluginWebhookConfiguration of this name")
  const problem = found.problems[0]
  if (problem !== undefined) return fail(`${problem.field}: ${problem.detail}`)
  if (found.paths[point] === undefined) return fail(`it has no ${point}Path`)
  const post = transport(found)
  if (!found.batch && point !== "select") return askEach(question, found, post, done)
  post(urlOf(found, point), batchBody(question), found.timeoutMs, (answer) =>
    answer instanceof Error ? fail(answer.message) : done(batchAnswer(question, answer.json))
  )
}

/** Decides, asking the plugins that the profile names; `done` is called once, at once when none is asked. */
export const scheduleAsking = (request: ScheduleRequest, plugins: Plugins, done: (outcome: Outcome) => void): void => {
  const steps = scheduleSteps(request)
  const go = (step: IteratorResult<PluginQuestion, Outcome>): void => {
    if (step.done === true) return done(step.value)
    askPlugin(step.value, plugins, (answer) => go(steps.next(answer)))
  }
  go(steps.next())
}
