// The gateway's flags for the limiter across gateways, in kube-gateway's names where it has them.
// Owns them and their rules; refuses to connect.
import { readFileSync } from "node:fs"
import { hostname } from "node:os"
import { Effect, Option } from "effect"
import { CliError, Flag } from "effect/cli"
import { machineClockwork, randomSuffix } from "#kube"
import { addressParts } from "../global/LimiterDial.ts"
import type { LimiterSettings } from "./ServeGatewayProcess.ts"

const text = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withDescription(description), Flag.optional, Flag.map(Option.getOrUndefined))

export const limiterFlags = {
  rateLimiter: Flag.Literals("ratelimiter", ["local", "remote"]).pipe(
    Flag.withDescription("Whether limits across gateways come from a limiter (wharf serve ratelimiter)"),
    Flag.withDefault("local" as const)
  ),
  rateLimiterService: text("ratelimiter-service", "HOST:PORT of the limiter's servers, separated by commas"),
  clientIdPrefix: text("client-id-prefix", "What this gateway's name at the limiter begins with"),
  rateLimiterCaFile: text("ratelimiter-ca-file", "PEM of who vouches for the limiter's certificate"),
  rateLimiterCertFile: text("ratelimiter-client-cert-file", "PEM of the certificate that is shown to the limiter"),
  rateLimiterKeyFile: text("ratelimiter-client-key-file", "PEM of its key"),
  rateLimiterTokenFile: text("ratelimiter-token-file", "A file whose text is the token for the limiter"),
  rateLimiterInsecure: Flag.Boolean("ratelimiter-insecure").pipe(
    Flag.withDescription("Speak plain HTTP with the limiter"),
    Flag.withDefault(false)
  )
}

/** What those flags say. */
export interface LimiterFlags {
  readonly rateLimiter: "local" | "remote"
  readonly rateLimiterService: string | undefined
  readonly clientIdPrefix: string | undefined
  readonly rateLimiterCaFile: string | undefined
  readonly rateLimiterCertFile: string | undefined
  readonly rateLimiterKeyFile: string | undefined
  readonly rateLimiterTokenFile: string | undefined
  readonly rateLimiterInsecure: boolean
}

const misused = (userMessage: string) => new CliError.UserError({ cause: new Error(userMessage), userMessage })

const tokenIn = (file: string) => (): string | undefined => {
  try {
    return readFileSync(file, "utf8").trim()
  } catch {
    return undefined
  }
}

/** Where limits across gateways come from; fails with a line that names the flag and its rule. */
export const limiterSettings = Effect.fnUntraced(function* (given: LimiterFlags) {
  if (given.rateLimiter === "local") return undefined
  const [first, ...rest] = (given.rateLimiterService ?? "").split(",").filter((one) => one !== "")
  if (first === undefined) return yield* misused("--ratelimiter remote: needs --ratelimiter-service")
  for (const server of [first, ...rest]) {
    if (addressParts(server) === undefined)
      return yield* misused(`--ratelimiter-service ${server}: must be HOST:PORT, or several separated by commas`)
  }
  const { rateLimiterCaFile: caFile, rateLimiterCertFile: certFile, rateLimiterKeyFile: keyFile } = given
  if ((certFile === undefined) !== (keyFile === undefined))
    return yield* misused("--ratelimiter-client-cert-file and --ratelimiter-client-key-file: one needs the other")
  const tls = {
    ...(caFile === undefined ? {} : { caFile }),
    ...(certFile === undefined ? {} : { certFile }),
    ...(keyFile === undefined ? {} : { keyFile })
  }
  const prefix = given.clientIdPrefix === undefined ? "" : `${given.clientIdPrefix}-`
  const settings: LimiterSettings = {
    servers: [first, ...rest],
    instance: `${prefix}${hostname()}-${process.pid}-${randomSuffix(machineClockwork.random, 5)}`,
    tls: given.rateLimiterInsecure ? undefined : tls,
    token: given.rateLimiterTokenFile === undefined ? undefined : tokenIn(given.rateLimiterTokenFile)
  }
  return settings
})
