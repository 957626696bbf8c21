/** MQTT.js over WebSocket, as MQTT 3.1, 3.1.1 and 5.0. */

import { mqttJs } from "../support/real-clients.ts";
import { describeClient } from "./client-contract.ts";

describeClient(mqttJs(3));
describeClient(mqttJs(4));
describeClient(mqttJs(5));
