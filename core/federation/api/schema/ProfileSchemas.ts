// The schemas of how scheduling is set up: SchedulingProfile and SchedulerPluginWebhookConfiguration.
// Owns names, types and bounds; refuses to know the plugins.
import { SchemaParts } from "#apiserver"
import type { JsonObject, KubeObject } from "#kube"
import { federationKind } from "./KindParts.ts"

const { ageColumn, anything, choice, column, flag, listOf, long, struct, text } = SchemaParts

const plugin = struct(
  "",
  {
    type: choice("Webhook for one of a SchedulerPluginWebhookConfiguration; one of ours by default.", ["", "Webhook"]),
    name: text('Its name; "*" in disabled: all.'),
    weight: long("Of its scores; 1 by default.", { min: 0 }),
    wait: long("KubeAdmiral's spelling of weight.", { min: 0 })
  },
  ["name"]
)

const pluginSet = (when: string): JsonObject =>
  struct(when, {
    enabled: listOf("After the usual ones.", plugin),
    disabled: listOf("Of the usual ones.", plugin)
  })

const schedulingProfile = federationKind({
  kind: "SchedulingProfile",
  plural: "schedulingprofiles",
  shortNames: ["sp"],
  scope: "Cluster",
  description: "The plugins that place objects.",
  properties: {
    spec: struct("The plugins.", {
      plugins: struct("By what they do.", {
        filter: pluginSet("Rule clusters out."),
        score: pluginSet("Compare clusters."),
        select: pluginSet("Choose among clusters."),
        replicas: pluginSet("Divide replicas.")
      }),
      pluginConfig: listOf(
        "Arguments.",
        struct("", { name: text("The plugin."), args: anything("Its own.") }, ["name"])
      )
    })
  },
  required: ["spec"],
  columns: [ageColumn]
})

const pluginWebhook = federationKind({
  kind: "SchedulerPluginWebhookConfiguration",
  plural: "schedulerpluginwebhookconfigurations",
  scope: "Cluster",
  description: "A plugin that answers over HTTP; profiles name it.",
  properties: {
    spec: struct(
      "How it is reached.",
      {
        payloadVersions: listOf(
          "What it understands, best first: v1alpha1 asks for one cluster after the other, v1beta1 for all at once.",
          { type: "string" },
          { minItems: 1 }
        ),
        urlPrefix: text("The address before the paths.", { minLength: 1 }),
        filterPath: text("Where filters are asked; absent: it has none."),
        scorePath: text("Where scores are asked; absent: it has none."),
        selectPath: text("Where a choice is asked; absent: it makes none."),
        httpTimeout: text("How long one answer may take; 5s by default."),
        tlsConfig: struct("Of HTTPS.", {
          insecure: flag("Does not verify its certificate."),
          serverName: text("The name in its certificate."),
          certData: text("Our certificate.", { format: "byte" }),
          keyData: text("Our key.", { format: "byte" }),
          caData: text("Who signs its certificate.", { format: "byte" })
        })
      },
      ["payloadVersions", "urlPrefix"]
    )
  },
  required: ["spec"],
  columns: [column("URL", ".spec.urlPrefix"), ageColumn]
})

/** The two kinds. */
export const profileKinds: ReadonlyArray<KubeObject> = [schedulingProfile, pluginWebhook]
