// The door of the scenarios room: the scenario file's schema and the commands that run scenarios.
export * from "./Diagnostic.ts"
export * from "./JsonSchema.ts"
export * from "./Scenario.ts"
export * from "./ScenarioFile.ts"
