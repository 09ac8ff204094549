// `wharf explain placement deploy/web`: why an object of a federation is in each of its clusters, and in no other.
// Owns flags and what is printed; refuses to change anything on the host.
import { Console, Effect, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { httpClient, loadAccess } from "#kube"
import { explainPlacement } from "./ExplainPlacement.ts"
import { placementText } from "./PlacementText.ts"

const text = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withDescription(description), Flag.optional, Flag.map(Option.getOrUndefined))

const flags = {
  object: Argument.String("type/name").pipe(Argument.withDescription("The object, like deploy/web")),
  namespace: Flag.String("namespace").pipe(
    Flag.withAlias("n"),
    Flag.withDescription("Its namespace"),
    Flag.withDefault("default")
  ),
  kubeconfig: text("kubeconfig", "The host and who one is there; default: as kubectl finds it"),
  context: text("context", "The context of the kubeconfig; default: its current one"),
  stored: Flag.Boolean("stored").pipe(
    Flag.withDescription("What the last attempt found, instead of a new look"),
    Flag.withDefault(false)
  ),
  json: Flag.Boolean("json").pipe(Flag.withDescription("For programs"), Flag.withDefault(false))
}

const explain = Effect.fn("federation.explainCommand")(function* (given: Command.Command.Config.Infer<typeof flags>) {
  const { context, kubeconfig } = given
  const access = yield* loadAccess({ ...(kubeconfig && { kubeconfig }), ...(context && { context }) })
  const client = yield* httpClient({ access, userAgent: "kube-admiral-explain" })
  const { json, namespace, object, stored } = given
  const explanation = yield* explainPlacement(client, { object, namespace, stored, nowMs: Date.now() })
  yield* Console.log(json ? JSON.stringify(explanation, undefined, 2) : placementText(explanation))
}, Effect.scoped)

/** `wharf explain placement`. */
export const explainPlacementCommand = Command.make("placement", flags, explain).pipe(
  Command.withDescription(
    "Say why an object of a federation is in each of its clusters: what rules others out, how clusters score, what bounds replicas"
  ),
  Command.withExamples([
    { command: "wharf explain placement deploy/web -n team-a --kubeconfig host.conf", description: "a new look" },
    { command: "wharf explain placement sts/db --stored --json", description: "what the last attempt found" }
  ])
)
