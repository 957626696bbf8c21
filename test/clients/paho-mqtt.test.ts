/** Eclipse Paho's JavaScript client, which many web pages use, as MQTT 3.1 and 3.1.1. */

import { pahoMqtt } from "../support/real-clients.ts";
import { describeClient } from "./client-contract.ts";

describeClient(pahoMqtt(3));
describeClient(pahoMqtt(4));
