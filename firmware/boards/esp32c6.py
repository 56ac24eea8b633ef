"""The ESP32-C6. `tools/boards.py` explains each line.

Sources: ESP32-C6 Series Datasheet (pins, strapping pins; chips with flash in the package lack GPIO 10 and 11, others
GPIO 14; ADC 0 to 3300 mV); ESP-IDF programming guide for the ESP32-C6, "GPIO & RTC GPIO" (SPI0/1 on 24 to 30,
USB-JTAG on 12 and 13); MicroPython's `ports/esp32/machine_pin.h`; ESP32-C6-DevKitC-1 user guide (its RGB LED is a
WS2812). Nothing here was measured.
"""

PROFILE = """
name ESP32-C6
outputs 0..11|15|18..23
input_only
analog 0..6
adc_max_mv 3050
strapping 4|5|8|9|15
leds
pins 0..11|14..23
flash 24..30
psram
usb 12|13
console 16|17
adc2
adc_linear_mv 150..3300
adc_reads_mv 0..3300
pulled_up 6|9
pulled_down
pwm 6 4
offset 0x0
image ESP32_GENERIC_C6
memory unmeasured
example pump=18 heater=19 room=0 daylight=1 button=20 led=21:high
kit esp32-c6-devkitc-1 led=ws2812:8 * TX=16 RX=17
"""
