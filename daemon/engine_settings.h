/* What the engine is made with, as far as the configuration, the places and the machine say it. */
#ifndef BATCHD_DAEMON_ENGINE_SETTINGS_H
#define BATCHD_DAEMON_ENGINE_SETTINGS_H

#include "daemon/config.h"
#include "daemon/engine/options.h"
#include "daemon/places.h"

/* It borrows from both. The modules that the engine works with are not in it. */
struct engine_options engine_settings(const struct config *config, const struct places *places);

#endif
