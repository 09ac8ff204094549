// The door of the scenarios room: the commands that check and run scenarios, and the schema of their files.
// What runs a scenario, the load generator and the backends stay inside.
export { BackendMissing } from "./backends/Backend.ts"
export { conformanceCommand } from "./conformance/ConformanceCommand.ts"
export { Diagnostic, ScenarioInvalid, ScenarioUnreadable } from "./Diagnostic.ts"
export { GeneratorFailed } from "./GeneratorProcess.ts"
export { scenarioJsonSchema, scenarioJsonSchemaText } from "./JsonSchema.ts"
export { runCommand } from "./RunCommand.ts"
export { OutputUnusable } from "./Runner.ts"
export { Scenario } from "./Scenario.ts"
export { benchSchedulerCommand } from "./schedulerperf/BenchCommand.ts"
export { scenarioCommand } from "./ScenarioCommand.ts"
export { type LoadedScenario, loadScenario, parseScenario } from "./ScenarioFile.ts"
export { replayScenario } from "./world/CaseRun.ts"
