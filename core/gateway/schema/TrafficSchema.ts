// The schema of how requests travel: health checks, balancing, time-outs, retries, flow control; and the status.
// Owns names, types and bounds.
import { SchemaParts } from "#apiserver"
import type { JsonObject } from "#kube"

const { choice, flag, integer, listOf, moment, struct, text, texts } = SchemaParts

const healthCheck = struct("How the gateway finds out which servers are well.", {
  paths: texts("Paths that must all answer 200; /readyz by default."),
  intervalSeconds: integer("5 by default.", { min: 1, max: 3600 }),
  timeoutSeconds: integer("5 by default.", { min: 1, max: 300 }),
  rise: integer("Good answers in a row that bring a server back; 1 by default.", { min: 1, max: 100 }),
  fall: integer("Bad answers in a row that take a server out; 2 by default.", { min: 1, max: 100 }),
  ejectAfterFailures: integer("Failed requests in a row that take a server out for a while; 5 by default, 0 never.", {
    min: 0,
    max: 1000
  }),
  ejectionSeconds: integer("How long; 10 by default.", { min: 1, max: 3600 }),
  maxEjectedPercent: integer("How many servers at most are out in this way; 50 by default.", { min: 0, max: 100 })
})

const balancing = struct("How requests are spread.", {
  connectionsPerEndpoint: integer(
    "HTTP/2 connections to each server, shared by all clients, half of them for lists and watches; 2 by default.",
    {
      min: 1,
      max: 64
    }
  ),
  slowStartSeconds: integer("How long a server that came back takes to reach its full share; 0 by default: at once.", {
    min: 0,
    max: 3600
  })
})

const timeouts = struct("How long the gateway waits.", {
  connectSeconds: integer("For a connection; 5 by default.", { min: 1, max: 300 }),
  responseHeaderSeconds: integer(
    "For the answer's head, of requests that are not long-running; 60 by default, 0: no limit.",
    {
      min: 0,
      max: 3600
    }
  ),
  drainSeconds: integer("How long requests to a server that was removed may go on; 30 by default.", {
    min: 0,
    max: 86_400
  })
})

const retry = struct("What is tried again elsewhere: only what is safe to repeat.", {
  attempts: integer("Tries in all; 2 by default, 1: no retry.", { min: 1, max: 10 }),
  budgetPercent: integer("Retries in a hundred requests; 20 by default.", { min: 0, max: 100 }),
  minPerSecond: integer("Retries in a second beyond that; 3 by default.", { min: 0, max: 1000 })
})

const bucket = (description: string): JsonObject =>
  struct(description, { qps: integer("Requests in a second."), burst: integer("Requests at once; not less than qps.") })

const flowControlSchema = struct("", {
  name: text("What policies call it by."),
  strategy: choice("Whether each gateway counts for itself or all together.", [
    "",
    "local",
    "globalAllocate",
    "globalCount"
  ]),
  exempt: struct("No limit.", {}),
  maxRequestsInflight: struct("So many at the same time.", {
    max: integer("Requests at the same time; 0 lets none pass."),
    maxLongRunning: integer("Watches and other long-running requests, counted apart; no limit by default.", { min: 0 })
  }),
  tokenBucket: bucket("So many in a second."),
  globalMaxRequestsInflight: struct("The limit of all gateways together.", {
    max: integer("Not less than that of one.")
  }),
  globalTokenBucket: bucket("The limit of all gateways together, not less than that of one."),
  queue: struct("Lets requests wait instead of refusing them.", {
    length: integer("Requests that may wait.", { min: 1, max: 100_000 }),
    timeoutSeconds: integer("How long; 5 by default.", { min: 1, max: 300 })
  }),
  fairness: choice("Between whom the limit is shared evenly.", ["", "None", "User", "Namespace"]),
  perUser: bucket("A limit of each user's own, beside that of all."),
  neverLimited: struct("Who is never held up; the requests count all the same.", {
    users: texts('Users; an item that ends in "*" is a prefix.'),
    groups: texts('Groups; an item that ends in "*" is a prefix.')
  }),
  onLimiterLoss: choice("What holds while the limiter cannot be reached: the local limit, none, or nothing passes.", [
    "",
    "Local",
    "Open",
    "Closed"
  ])
})

/** spec.healthCheck, balancing, timeouts, retry and flowControl. */
export const trafficFields: JsonObject = {
  healthCheck,
  balancing,
  timeouts,
  retry,
  flowControl: struct("Limits that policies refer to.", {
    flowControlSchemas: listOf("Each with its own name.", flowControlSchema)
  })
}

const condition = struct(
  "",
  {
    type: text("Accepted, Programmed or Ready."),
    status: choice("", ["True", "False", "Unknown"]),
    reason: text("Why, in one word."),
    message: text("Why, for people."),
    observedGeneration: { type: "integer", format: "int64", description: "The generation that was looked at." },
    lastTransitionTime: moment("When the status changed last.")
  },
  ["type", "status"]
)

const seenEndpoint = struct(
  "",
  {
    endpoint: text("As in spec.servers."),
    healthy: flag("Whether it gets this gateway's requests."),
    reason: text("Why not, in one word."),
    message: text("Why not, for people.")
  },
  ["endpoint", "healthy"]
)

/** What each gateway on one control plane sees; each writes its own entry alone. */
const gateways: JsonObject = {
  type: "object",
  description: "What each gateway sees, by its name; one that was not heard of for half an hour is forgotten.",
  additionalProperties: struct(
    "",
    {
      seenTime: moment("When it last said so."),
      endpoints: listOf("How each server does, seen from there.", seenEndpoint)
    },
    ["seenTime"]
  )
}

/** The status of an UpstreamCluster. */
export const clusterStatus = struct("What the gateway made of it, and how the servers do.", {
  observedGeneration: { type: "integer", format: "int64", description: "The generation that was looked at last." },
  hosts: texts("Host names under which the cluster is served."),
  conditions: listOf("Whether the manifest is accepted, is what serves, and finds a server.", condition, {
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["type"]
  }),
  healthyEndpoints: text("Like 2/3."),
  endpoints: listOf(
    "How each server does, for all gateways together.",
    struct(
      "",
      {
        endpoint: text("As in spec.servers."),
        healthy: flag("Whether it gets requests."),
        reason: text("Why not, in one word."),
        message: text("Why not, for people."),
        lastTransitionTime: moment("When this changed last.")
      },
      ["endpoint", "healthy"]
    ),
    { "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["endpoint"] }
  ),
  gateways
})
