/* What the guest's firmware says beyond QEMU's own: a thermal zone with trip points, a battery,
 * a mains adapter, a power meter, and P-states for two processors.
 *
 * Their readings are numbers of 32 bits in a page that the kernel leaves alone (`memmap=` on its
 * command line) and the tests write through /dev/mem: `guest/firmware.py` has the same list. */
DefinitionBlock ("tables.aml", "SSDT", 2, "AMPTLK", "VMTEST", 1)
{
    External (\_SB.CPUS.C000, DeviceObj)
    External (\_SB.CPUS.C001, DeviceObj)

    OperationRegion (PAGE, SystemMemory, 0x30000000, 0x1000)
    Field (PAGE, DWordAcc, NoLock, Preserve)
    {
        TEMP, 32,   // 0.1 °C
        BSTA, 32,   // battery: 0 full, 1 discharging, 2 charging
        BRAT, 32,   // mW into or out of the battery
        BLFT, 32,   // mWh left of 50000
        MAIN, 32,   // 1 with mains power
        PMTR, 32,   // mW, power meter
        PCAP, 32    // mW, the cap of the power meter
    }

    Scope (\_TZ)
    {
        ThermalZone (ZONE)
        {
            Method (_TMP) { Return (TEMP + 2732) }
            Method (_CRT) { Return (2732 + 1150) }
            Method (_PSV) { Return (2732 + 800) }
            Name (_PSL, Package () { \_SB.CPUS.C000, \_SB.CPUS.C001 })
            Name (_TC1, 1)
            Name (_TC2, 2)
            Name (_TSP, 5)    // while cooling it looks every 0.5 s
            Name (_TZP, 10)   // else every second
        }
    }

    Scope (\_SB)
    {
        Device (BAT0)
        {
            Name (_HID, EisaId ("PNP0C0A"))
            Name (_PCL, Package () { \_SB })
            Method (_STA) { Return (0x1F) }
            Method (_BIF)
            {
                Return (Package () {
                    0, 50000, 50000, 1, 11100, 5000, 2500, 100, 100,
                    "AMPTALK", "1", "LION", "VM" })
            }
            Method (_BST) { Return (Package () { BSTA, BRAT, BLFT, 11100 }) }
        }

        Device (AC0)
        {
            Name (_HID, "ACPI0003")
            Name (_PCL, Package () { \_SB })
            Method (_PSR) { Return (MAIN) }
            Method (_STA) { Return (0x0F) }
        }

        Device (METR)
        {
            Name (_HID, "ACPI000D")
            Name (_PMD, Package () { \_SB })
            Method (_STA) { Return (0x0F) }
            /* measures and can be capped; mW; input power; accuracy 95 %; sampling 100 ms;
             * averages over 1-10 s; no hysteresis; cap writable, 5-60 W */
            Name (_PMC, Package () {
                0x105, 0, 1, 95000, 100, 1000, 10000, 1000, 0xFFFFFFFF, 5000, 60000,
                "AMPTALK", "1", "VM" })
            Method (_PMM) { Return (PMTR) }
            Method (_GAI) { Return (1000) }
            Method (_PAI, 1) { Return (0) }
            Method (_PTP, 2) { Return (0) }
            Method (_GHL) { Return (PCAP) }
            Method (_SHL, 1) { PCAP = Arg0 Return (0) }
        }
    }

    Name (STAT, Package () {   // MHz, mW, µs, µs, what is written, what is read back
        Package () { 2000, 15000, 10, 10, 0, 0 },
        Package () { 1500, 10000, 10, 10, 1, 1 },
        Package () { 1000,  6000, 10, 10, 2, 2 },
        Package () {  600,  3000, 10, 10, 3, 3 } })

    /* Page registers of the old DMA controller keep what is written to them; nothing uses it. */
    Scope (\_SB.CPUS.C000)
    {
        Method (_PSS) { Return (STAT) }
        Method (_PPC) { Return (0) }
        Name (_PCT, Package () {
            ResourceTemplate () { Register (SystemIO, 8, 0, 0x81) },
            ResourceTemplate () { Register (SystemIO, 8, 0, 0x81) } })
        Name (_PSD, Package () { Package () { 5, 0, 0, 0xFC, 1 } })
    }
    Scope (\_SB.CPUS.C001)
    {
        Method (_PSS) { Return (STAT) }
        Method (_PPC) { Return (0) }
        Name (_PCT, Package () {
            ResourceTemplate () { Register (SystemIO, 8, 0, 0x82) },
            ResourceTemplate () { Register (SystemIO, 8, 0, 0x82) } })
        Name (_PSD, Package () { Package () { 5, 0, 1, 0xFC, 1 } })
    }
}
