// `wharf why` and `wharf trace`: a straight answer in a terminal, from a running tracing server.
// Owns their arguments; refuses to judge, which the server does.
import { Console, Effect, Option } from "effect"
import { Argument, CliError, Command, Flag } from "effect/cli"
import { askServer } from "./AskServer.ts"

const text = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withDescription(description), Flag.optional, Flag.map(Option.getOrUndefined))

const flags = {
  server: Flag.String("server").pipe(
    Flag.withDescription("Address of wharf serve tracing"),
    Flag.withDefault("http://127.0.0.1:8080")
  ),
  namespace: Flag.String("namespace").pipe(Flag.withAlias("n"), Flag.withDefault("default")),
  cluster: text("cluster", "Cluster of the object; may be left out when there is only one"),
  at: text("at", "Time of asking, in microseconds since the epoch; now by default"),
  tokenFile: text("token-file", "File of a token that may read traces"),
  caFile: text("certificate-authority", "PEM of the authority of the server's certificate"),
  json: Flag.Boolean("json").pipe(Flag.withDescription("The answer as JSON"), Flag.withDefault(false))
}

type Given = Command.Command.Config.Infer<typeof flags>

const misused = (userMessage: string) => new CliError.UserError({ cause: new Error(userMessage), userMessage })

const ask = Effect.fnUntraced(function* (given: Given, question: string, object: string | undefined) {
  const { at, caFile, cluster, json, namespace, server, tokenFile } = given
  const query = new URLSearchParams()
  if (cluster !== undefined) query.set("cluster", cluster)
  if (at !== undefined) query.set("at", at)
  if (!json) query.set("format", "text")
  if (object !== undefined) {
    const slash = object.indexOf("/")
    const [resource, name] = [object.slice(0, slash), object.slice(slash + 1)]
    if (slash < 1 || name === "") return yield* misused(`${object}: must be RESOURCE/NAME, like pod/web-0`)
    query.set("resource", resource)
    query.set("name", name)
    if (!/^(no|node|nodes|ns|namespaces?|pv|persistentvolumes?)$/i.test(resource)) query.set("namespace", namespace)
  }
  const { body } = yield* askServer({ server, tokenFile, caFile }, `/answers/v1/${question}?${query.toString()}`)
  yield* Console.log(body.trimEnd())
})

/** `wharf why`. */
export const whyCommand = Command.make(
  "why",
  {
    object: Argument.String("object").pipe(
      Argument.withDescription("RESOURCE/NAME; without it, all that is stuck"),
      Argument.optional
    ),
    ...flags
  },
  ({ object, ...given }) => ask(given, Option.isNone(object) ? "stuck" : "why", Option.getOrUndefined(object))
).pipe(
  Command.withDescription("Say why an object does not get on, or what is stuck anywhere"),
  Command.withExamples([
    { command: "wharf why pod/web-0 -n shop", description: "why it waits, since when, and which spans say so" },
    { command: "wharf why", description: "everything that is stuck" }
  ])
)

/** `wharf trace`. */
export const traceCommand = Command.make(
  "trace",
  { object: Argument.String("object").pipe(Argument.withDescription("RESOURCE/NAME, like deployment/web")), ...flags },
  ({ object, ...given }) => ask(given, "trace", object)
).pipe(
  Command.withDescription("Show what an object made, how far each part is and what holds it"),
  Command.withExamples([
    { command: "wharf trace deployment/web -n shop", description: "how many Pods it made, and which one hangs" }
  ])
)
