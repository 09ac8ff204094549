// `wharf explain pod NAMESPACE/NAME`: where our scheduler would put a pod of a cluster, and why nowhere else.
// Owns the reading of the name and what is printed; refuses to change anything: it watches the cluster once and decides in its head.
import { Console, Effect, Schema } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { effectClient, gvr, isJsonObject } from "#kube"
import { explanationText } from "../decide/Explanation.ts"
import { Scheduler } from "../run/Scheduler.ts"
import { setUpScheduler } from "./SchedulerSetup.ts"
import { setupFlags } from "./ServeSchedulerCommand.ts"

/** The pod cannot be explained; `message` says why. */
export class NotExplained extends Schema.TaggedError<NotExplained>()("NotExplained", { message: Schema.String }) {}

const flags = {
  pod: Argument.String("namespace/name").pipe(Argument.withDescription("The pod; without a namespace: of default")),
  best: Flag.Int("best").pipe(Flag.withDescription("How many of the best nodes are shown"), Flag.withDefault(5)),
  ...setupFlags
}

/** A scheduler that has seen the cluster and does nothing. */
const observer = (options: ConstructorParameters<typeof Scheduler>[0]) =>
  Effect.acquireRelease(
    Effect.callback<Scheduler>((resume) => {
      const scheduler = new Scheduler(options)
      scheduler.observe(() => resume(Effect.succeed(scheduler)))
    }),
    (scheduler) => Effect.sync(() => scheduler.stop())
  )

const explain = Effect.fn("scheduling.explain")(function* (given: Command.Command.Config.Infer<typeof flags>) {
  const [first = "", second] = given.pod.split("/")
  const [namespace, name] = second === undefined ? ["default", first] : [first, second]
  const { options } = yield* setUpScheduler(given)
  const pod = yield* effectClient(options.client).get({ resource: gvr("", "v1", "pods"), namespace, name })
  const node = isJsonObject(pod.spec) ? pod.spec["nodeName"] : undefined
  if (typeof node === "string") return yield* Console.log(`${namespace}/${name} is on node ${node} already`)
  const scheduler = yield* observer(options)
  const explanation = scheduler.explain(`${namespace}/${name}`, given.best)
  if (explanation === undefined) {
    return yield* new NotExplained({
      message: `${namespace}/${name} is no waiting pod of these schedulers: its spec.schedulerName is another`
    })
  }
  yield* Console.log(explanationText(`${namespace}/${name}`, explanation))
}, Effect.scoped)

/** `wharf explain pod`. */
export const explainPodCommand = Command.make("pod", flags, explain).pipe(
  Command.withDescription(
    "Say where a waiting pod could go: what rules nodes out, and how the best of the others score"
  ),
  Command.withExamples([
    { command: "wharf explain pod team-a/web-0 --kubeconfig admin.conf", description: "by the default profile" },
    { command: "wharf explain pod web-0 --config scheduler.yaml --best 10", description: "by another, ten nodes" }
  ])
)
