// The configuration file: defaults, sets of plugins, arguments, and what a file must not say.
import { assert, describe, it } from "vitest"
import { ConfigurationInvalid, defaultConfiguration, parseSchedulerConfiguration } from "#scheduling"

const head = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n"

const read = (body: string) => {
  const configuration = parseSchedulerConfiguration(head + body)
  if (configuration instanceof ConfigurationInvalid) throw configuration
  return configuration
}

const refusal = (body: string): string => {
  const configuration = parseSchedulerConfiguration(head + body)
  assert.instanceOf(configuration, ConfigurationInvalid)
  return configuration instanceof Error ? configuration.message : ""
}

describe("a configuration", () => {
  it("that says nothing is kube-scheduler's default", () => {
    const [profile] = read("").profiles
    assert.deepStrictEqual(Object.fromEntries(profile.weights), {
      TaintToleration: 3,
      NodeAffinity: 2,
      NodeResourcesFit: 1,
      VolumeBinding: 1,
      PodTopologySpread: 2,
      InterPodAffinity: 2,
      NodeResourcesBalancedAllocation: 1,
      ImageLocality: 1
    })
    assert.lengthOf([...profile.filters], 12)
    assert.deepInclude(defaultConfiguration, { initialBackoffMs: 1000, maxBackoffMs: 10_000 })
    assert.deepInclude(defaultConfiguration.leaderElection, { enabled: true, leaseDurationMs: 15_000 })
  })

  it("enables, disables and weighs plugins by point and for all points", () => {
    const { profiles } = read(`
percentageOfNodesToScore: 40
profiles:
- schedulerName: packer
  plugins:
    score:
      disabled: [{name: "*"}]
      enabled: [{name: NodeResourcesFit, weight: 5}]
  pluginConfig:
  - name: NodeResourcesFit
    args:
      scoringStrategy: {type: MostAllocated, resources: [{name: cpu}, {name: example.com/gpu, weight: 3}]}
- schedulerName: quiet
  percentageOfNodesToScore: 100
  plugins:
    multiPoint:
      disabled: [{name: DefaultPreemption}, {name: ImageLocality}]
      enabled: [{name: TaintToleration, weight: 7}]
    filter: {disabled: [{name: TaintToleration}]}
`)
    const [packer, quiet] = profiles
    assert.deepStrictEqual(Object.fromEntries(packer.weights), { NodeResourcesFit: 5 })
    assert.deepInclude(packer.fit, {
      strategy: "MostAllocated",
      resources: [
        { name: "cpu", weight: 1 },
        { name: "example.com/gpu", weight: 3 }
      ]
    })
    assert.strictEqual(packer.nodesPercent, 40)
    assert.isTrue(packer.preempts)
    assert.isFalse(quiet.preempts)
    assert.isUndefined(quiet.nodesPercent)
    assert.isFalse(quiet.filters.has("TaintToleration"))
    assert.strictEqual(quiet.weights.get("TaintToleration"), 7)
    assert.isFalse(quiet.weights.has("ImageLocality"))
  })

  it("that breaks a rule is refused with the field's name", () => {
    assert.match(refusal("podInitialBackoffSeconds: 20\n"), /^podMaxBackoffSeconds: /)
    assert.match(refusal("profiles: [{}, {}]\n"), /^profiles\[0\]\.schedulerName: a name is required/)
    assert.match(
      refusal("profiles: [{schedulerName: a}, {schedulerName: a}]\n"),
      /^profiles\[1\]\.schedulerName: there is another profile a/
    )
    assert.match(refusal("profiles: [{plugins: {filter: {enabled: [{name: Nope}]}}}]\n"), /there is no plugin Nope/)
    assert.match(refusal("parallelism: 0\n"), /parallelism/)
    assert.match(refusal("unknown: 1\n"), /unknown/)
    assert.match(
      refusal("profiles: [{pluginConfig: [{name: InterPodAffinity, args: {hardPodAffinityWeight: 101}}]}]\n"),
      /hardPodAffinityWeight/
    )
    assert.match(
      refusal(
        "profiles: [{pluginConfig: [{name: NodeResourcesFit, args: {scoringStrategy: {type: RequestedToCapacityRatio}}}]}]\n"
      ),
      /shape: at least one point/
    )
    assert.match(refusal("extenders: [{urlPrefix: http://x, prioritizeVerb: p}]\n"), /^extenders\[0\]\.weight: /)
    assert.match(refusal("leaderElection: {leaseDuration: soon}\n"), /^leaderElection\.leaseDuration: /)
    const garbled = parseSchedulerConfiguration("a: [")
    assert.match(garbled instanceof Error ? garbled.message : "", /no YAML/)
  })
})
