-- Where the probe starts on the host: the settings are in a file beside it.

package.path = arg[1] .. "/?.lua"
require "probe"(require "settings")
