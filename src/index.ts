/** The face of the package `durable-mqtt`, for Workers: `defineBroker` and the types around it. */

export type {
  AuthenticationAnswer,
  AuthenticationRequest,
  AuthenticationRule,
  AuthenticationService,
  AuthorizationRequest,
} from "./auth/service-contract.ts";
export { type Broker, defineBroker, type EntrypointClass, type ObjectClass } from "./broker.ts";
export type {
  BrokerBindings,
  BrokerHooks,
  BrokerOptions,
  ConnectedClient,
  ConsumeContext,
  ConsumedMessage,
  Disconnection,
  GrantedSubscription,
  HookClient,
  HookContext,
  HookMessage,
  MessageConsumer,
  MessageProperties,
  MessageToPublish,
  PublishAnswer,
  PublishContext,
  Question,
  Refuse,
} from "./hooks/contract.ts";
export type { QoS, UserProperty } from "./mqtt/packet.ts";
export type { ClientView } from "./objects/calls.ts";
export type {
  ClientsOptions,
  ClientsPage,
  FromCursor,
  InNamespace,
  MessageSubscription,
  MqttService,
  PublishReceipt,
  RetainedPage,
  ServicePublishOptions,
  ServiceRequestOptions,
  ServiceSubscribeOptions,
} from "./service/contract.ts";
export type { Parted } from "./session/session.ts";
export type { CodeSettings, SettingName } from "./settings.ts";
