"""Descriptors in the forms that the tools of this world write, and archives to put them into."""

import io
import tarfile

VMWARE = """<?xml version="1.0" encoding="UTF-8"?>
<!--Written in the form of VMware's ovftool-->
<Envelope vmw:buildId="build-1" xmlns="http://schemas.dmtf.org/ovf/envelope/1"
 xmlns:cim="http://schemas.dmtf.org/wbem/wscim/1/common" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"
 xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"
 xmlns:vmw="http://www.vmware.com/schema/ovf"
 xmlns:vssd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <References>
    <File ovf:href="shop-disk1.vmdk" ovf:id="file1" ovf:size="1024" />
    <File ovf:href="shop-file1.iso" ovf:id="file2" ovf:size="2048" />
  </References>
  <DiskSection>
    <Info>Virtual disk information</Info>
    <Disk ovf:capacity="16" ovf:capacityAllocationUnits="byte * 2^30" ovf:diskId="vmdisk1" ovf:fileRef="file1"
     ovf:format="http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized" ovf:populatedSize="99" />
    <Disk ovf:capacity="${data.size}" ovf:capacityAllocationUnits="byte * 2^20" ovf:diskId="vmdisk2" />
  </DiskSection>
  <NetworkSection>
    <Info>The list of logical networks</Info>
    <Network ovf:name="VM Network"><Description>The VM Network network</Description></Network>
  </NetworkSection>
  <DeploymentOptionSection>
    <Info>Sizes</Info>
    <Configuration ovf:id="small"><Label>Small</Label><Description>Small</Description></Configuration>
    <Configuration ovf:id="large" ovf:default="true"><Label>Large</Label><Description>L</Description></Configuration>
  </DeploymentOptionSection>
  <VirtualSystem ovf:id="shop">
    <Info>A virtual machine</Info>
    <Name>Shop &amp; Till</Name>
    <OperatingSystemSection ovf:id="96" vmw:osType="debian10_64Guest">
      <Info>The kind of installed guest operating system</Info>
      <Description>Debian GNU/Linux 10 (64-bit)</Description>
    </OperatingSystemSection>
    <VirtualHardwareSection>
      <Info>Virtual hardware requirements</Info>
      <System>
        <vssd:ElementName>Virtual Hardware Family</vssd:ElementName>
        <vssd:InstanceID>0</vssd:InstanceID>
        <vssd:VirtualSystemIdentifier>shop-id</vssd:VirtualSystemIdentifier>
        <vssd:VirtualSystemType>vmx-13</vssd:VirtualSystemType>
      </System>
      <Item ovf:configuration="small">
        <rasd:AllocationUnits>hertz * 10^6</rasd:AllocationUnits>
        <rasd:InstanceID>1</rasd:InstanceID><rasd:ResourceType>3</rasd:ResourceType>
        <rasd:VirtualQuantity>1</rasd:VirtualQuantity>
      </Item>
      <Item ovf:configuration="large">
        <rasd:InstanceID>1</rasd:InstanceID><rasd:ResourceType>3</rasd:ResourceType>
        <rasd:VirtualQuantity>4</rasd:VirtualQuantity>
        <vmw:CoresPerSocket ovf:required="false">2</vmw:CoresPerSocket>
      </Item>
      <Item>
        <rasd:AllocationUnits>byte * 2^20</rasd:AllocationUnits>
        <rasd:InstanceID>2</rasd:InstanceID><rasd:ResourceType>4</rasd:ResourceType>
        <rasd:VirtualQuantity>6144</rasd:VirtualQuantity>
      </Item>
      <Item ovf:bound="max">
        <rasd:AllocationUnits>byte * 2^20</rasd:AllocationUnits>
        <rasd:InstanceID>2</rasd:InstanceID><rasd:ResourceType>4</rasd:ResourceType>
        <rasd:VirtualQuantity>9999</rasd:VirtualQuantity>
      </Item>
      <Item>
        <rasd:Address>0</rasd:Address><rasd:ElementName>SCSI Controller 0</rasd:ElementName>
        <rasd:InstanceID>3</rasd:InstanceID><rasd:ResourceSubType>VirtualSCSI</rasd:ResourceSubType>
        <rasd:ResourceType>6</rasd:ResourceType>
      </Item>
      <Item>
        <rasd:Address>0</rasd:Address><rasd:ElementName>SATA Controller 0</rasd:ElementName>
        <rasd:InstanceID>4</rasd:InstanceID><rasd:ResourceSubType>vmware.sata.ahci</rasd:ResourceSubType>
        <rasd:ResourceType>20</rasd:ResourceType>
      </Item>
      <Item ovf:required="false">
        <rasd:AutomaticAllocation>false</rasd:AutomaticAllocation>
        <rasd:InstanceID>5</rasd:InstanceID><rasd:ResourceType>24</rasd:ResourceType>
        <vmw:Config ovf:required="false" vmw:key="videoRamSizeInKB" vmw:value="4096"/>
      </Item>
      <Item ovf:required="false">
        <rasd:AddressOnParent>0</rasd:AddressOnParent><rasd:ElementName>CD/DVD drive 1</rasd:ElementName>
        <rasd:HostResource>ovf:/file/file2</rasd:HostResource>
        <rasd:InstanceID>6</rasd:InstanceID><rasd:Parent>4</rasd:Parent><rasd:ResourceType>15</rasd:ResourceType>
      </Item>
      <Item>
        <rasd:AddressOnParent>0</rasd:AddressOnParent><rasd:ElementName>Hard Disk 1</rasd:ElementName>
        <rasd:HostResource>ovf:/disk/vmdisk1</rasd:HostResource>
        <rasd:InstanceID>7</rasd:InstanceID><rasd:Parent>3</rasd:Parent><rasd:ResourceType>17</rasd:ResourceType>
      </Item>
      <Item>
        <rasd:AddressOnParent>1</rasd:AddressOnParent><rasd:ElementName>Hard Disk 2</rasd:ElementName>
        <rasd:HostResource>ovf:/disk/vmdisk2</rasd:HostResource>
        <rasd:InstanceID>8</rasd:InstanceID><rasd:Parent>3</rasd:Parent><rasd:ResourceType>17</rasd:ResourceType>
      </Item>
      <Item>
        <rasd:Address>00:50:56:AB:01:02</rasd:Address>
        <rasd:AddressOnParent>7</rasd:AddressOnParent><rasd:Connection>VM Network</rasd:Connection>
        <rasd:ElementName>Network adapter 1</rasd:ElementName><rasd:InstanceID>9</rasd:InstanceID>
        <rasd:ResourceSubType>VmxNet3</rasd:ResourceSubType><rasd:ResourceType>10</rasd:ResourceType>
      </Item>
      <vmw:Config ovf:required="false" vmw:key="firmware" vmw:value="efi" />
      <vmw:Config ovf:required="false" vmw:key="bootOptions.efiSecureBootEnabled" vmw:value="true" />
    </VirtualHardwareSection>
    <ProductSection ovf:class="vami" ovf:instance="shop">
      <Info>The product</Info>
      <Product>Shop</Product><Vendor>Example</Vendor><Version>2.1</Version><FullVersion>2.1 build 7</FullVersion>
      <ProductUrl>https://shop.example/</ProductUrl><VendorUrl>https://example.com/</VendorUrl>
      <Category>Network</Category>
      <Property ovf:key="ip" ovf:type="string" ovf:userConfigurable="true" ovf:qualifiers="MaxLen(15)">
        <Label ovf:msgid="ip.label"/><Description>Empty for DHCP</Description><Value ovf:value="10.0.0.2"/>
      </Property>
    </ProductSection>
    <ProductSection>
      <Info>More</Info>
      <Property ovf:key="data.size" ovf:type="uint32" ovf:value="512"/>
      <Property ovf:key="secret" ovf:type="string" ovf:password="true" ovf:userConfigurable="true"/>
    </ProductSection>
    <EulaSection><Info>Licence</Info><License>Be kind.</License></EulaSection>
    <AnnotationSection><Info>Note</Info><Annotation>Sells things</Annotation></AnnotationSection>
  </VirtualSystem>
  <Strings xml:lang="en-US"><Msg ovf:msgid="ip.label">Address</Msg></Strings>
</Envelope>
"""

VIRTUALBOX = """<?xml version="1.0"?>
<Envelope ovf:version="1.0" xml:lang="en-US" xmlns="http://schemas.dmtf.org/ovf/envelope/1"
 xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"
 xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"
 xmlns:vssd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData"
 xmlns:vbox="http://www.virtualbox.org/ovf/machine">
  <References><File ovf:id="file1" ovf:href="till-disk001.vmdk"/></References>
  <DiskSection>
    <Info>List of the virtual disks used in the package</Info>
    <Disk ovf:capacity="8589934592" ovf:diskId="vmdisk1" ovf:fileRef="file1"
     ovf:format="http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized" vbox:uuid="0-1"/>
  </DiskSection>
  <NetworkSection><Info>Networks</Info><Network ovf:name="NAT"><Description>NAT</Description></Network></NetworkSection>
  <VirtualSystem ovf:id="till">
    <Info>A virtual machine</Info>
    <OperatingSystemSection ovf:id="96">
      <Info>The kind of installed guest operating system</Info><Description>Debian_64</Description>
      <vbox:OSType ovf:required="false">Debian_64</vbox:OSType>
    </OperatingSystemSection>
    <VirtualHardwareSection>
      <Info>Virtual hardware requirements for a virtual machine</Info>
      <System><vssd:ElementName>Virtual Hardware Family</vssd:ElementName><vssd:InstanceID>0</vssd:InstanceID>
        <vssd:VirtualSystemIdentifier>till</vssd:VirtualSystemIdentifier>
        <vssd:VirtualSystemType>virtualbox-2.2</vssd:VirtualSystemType></System>
      <Item><rasd:Caption>2 virtual CPU</rasd:Caption><rasd:InstanceID>1</rasd:InstanceID>
        <rasd:ResourceType>3</rasd:ResourceType><rasd:VirtualQuantity>2</rasd:VirtualQuantity></Item>
      <Item><rasd:AllocationUnits>MegaBytes</rasd:AllocationUnits><rasd:Caption>1024 MB of memory</rasd:Caption>
        <rasd:InstanceID>2</rasd:InstanceID><rasd:ResourceType>4</rasd:ResourceType>
        <rasd:VirtualQuantity>1024</rasd:VirtualQuantity></Item>
      <Item><rasd:Address>0</rasd:Address><rasd:Caption>ideController0</rasd:Caption>
        <rasd:InstanceID>3</rasd:InstanceID><rasd:ResourceSubType>PIIX4</rasd:ResourceSubType>
        <rasd:ResourceType>5</rasd:ResourceType></Item>
      <Item><rasd:Address>0</rasd:Address><rasd:Caption>sataController0</rasd:Caption>
        <rasd:InstanceID>5</rasd:InstanceID><rasd:ResourceSubType>AHCI</rasd:ResourceSubType>
        <rasd:ResourceType>20</rasd:ResourceType></Item>
      <Item><rasd:AddressOnParent>0</rasd:AddressOnParent><rasd:Caption>disk1</rasd:Caption>
        <rasd:HostResource>/disk/vmdisk1</rasd:HostResource><rasd:InstanceID>7</rasd:InstanceID>
        <rasd:Parent>5</rasd:Parent><rasd:ResourceType>17</rasd:ResourceType></Item>
      <Item><rasd:AutomaticAllocation>true</rasd:AutomaticAllocation><rasd:Caption>adapter</rasd:Caption>
        <rasd:Connection>NAT</rasd:Connection><rasd:InstanceID>8</rasd:InstanceID>
        <rasd:ResourceSubType>E1000</rasd:ResourceSubType><rasd:ResourceType>10</rasd:ResourceType></Item>
    </VirtualHardwareSection>
    <vbox:Machine ovf:required="false" version="1.16-linux" name="till" OSType="Debian_64">
      <Hardware><CPU count="2"/><Firmware type="EFI"/>
        <Network>
          <Adapter slot="1" enabled="false" MACAddress="080027000000" type="Am79C973"/>
          <Adapter slot="0" enabled="true" MACAddress="080027C0FFEE" type="82540EM"><NAT/></Adapter>
        </Network>
      </Hardware>
    </vbox:Machine>
  </VirtualSystem>
</Envelope>
"""

# VirtualBox with "OVF 2.0": items of their own for storage and ports, in namespaces of their own.
VERSION_2 = """<?xml version="1.0"?>
<Envelope ovf:version="2.0" xmlns="http://schemas.dmtf.org/ovf/envelope/2"
 xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/2"
 xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"
 xmlns:vssd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData"
 xmlns:epasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_EthernetPortAllocationSettingData.xsd"
 xmlns:sasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_StorageAllocationSettingData.xsd">
  <References><File ovf:id="file1" ovf:href="two.vmdk.gz" ovf:compression="gzip"
   ovf:chunkSize="2147483648"/></References>
  <DiskSection><Info/>
   <Disk ovf:capacity="4" ovf:capacityAllocationUnits="GigaBytes" ovf:diskId="d" ovf:fileRef="file1"/>
  </DiskSection>
  <VirtualSystemCollection ovf:id="both"><Info/>
    <VirtualSystem ovf:id="two"><Info/>
      <VirtualHardwareSection><Info/>
        <Item><rasd:InstanceID>2</rasd:InstanceID><rasd:ResourceType>4</rasd:ResourceType>
          <rasd:VirtualQuantity>1.5</rasd:VirtualQuantity>
          <rasd:AllocationUnits>byte * 1024 * 2^20</rasd:AllocationUnits></Item>
        <Item><rasd:InstanceID>3</rasd:InstanceID><rasd:ResourceType>20</rasd:ResourceType>
          <rasd:ResourceSubType>NVMe</rasd:ResourceSubType></Item>
        <StorageItem><sasd:AddressOnParent>0</sasd:AddressOnParent><sasd:HostResource>/disk/d</sasd:HostResource>
          <sasd:InstanceID>4</sasd:InstanceID><sasd:Parent>3</sasd:Parent><sasd:ResourceType>17</sasd:ResourceType>
        </StorageItem>
        <EthernetPortItem><epasd:Connection>NAT</epasd:Connection><epasd:Address>52-54-00-00-00-01</epasd:Address>
          <epasd:InstanceID>5</epasd:InstanceID><epasd:ResourceType>10</epasd:ResourceType></EthernetPortItem>
      </VirtualHardwareSection>
    </VirtualSystem>
    <VirtualSystem ovf:id="empty"><Info/></VirtualSystem>
  </VirtualSystemCollection>
</Envelope>
"""

# What was written before the standard: sections by xsi:type, other names of the items' parts.
OLD = """<?xml version="1.0" encoding="ISO-8859-1"?>
<ovf:Envelope xmlns:ovf="http://www.vmware.com/schema/ovf/1/envelope"
 xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <ovf:References><ovf:File ovf:id="f" ovf:href="old.vmdk"/></ovf:References>
  <ovf:Section xsi:type="ovf:DiskSection_Type"><ovf:Disk ovf:diskId="d" ovf:fileRef="f" ovf:capacity="1048576"/>
  </ovf:Section>
  <ovf:Content xsi:type="ovf:VirtualSystem_Type" ovf:id="old">
    <ovf:Name>Caf\u00e9</ovf:Name>
    <ovf:Section xsi:type="ovf:VirtualHardwareSection_Type">
      <ovf:Item><rasd:Caption>memory</rasd:Caption><rasd:InstanceId>2</rasd:InstanceId>
        <rasd:ResourceType>4</rasd:ResourceType><rasd:VirtualQuantity>256</rasd:VirtualQuantity></ovf:Item>
      <ovf:Item><rasd:Caption>Harddisk 1</rasd:Caption><rasd:InstanceId>5</rasd:InstanceId>
        <rasd:ResourceType>17</rasd:ResourceType><rasd:HostResource>disk/d</rasd:HostResource></ovf:Item>
    </ovf:Section>
  </ovf:Content>
</ovf:Envelope>
"""


def smallest(*, files: str = "", disks: str = "", items: str = "", name: str = "small") -> bytes:
    """Return a descriptor of the first version with these files, disks and items."""
    return f"""<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"
 xmlns:rasd="urn:rasd"><References>{files}</References><DiskSection><Info/>{disks}</DiskSection>
 <VirtualSystem ovf:id="{name}"><Info/><VirtualHardwareSection><Info/>{items}</VirtualHardwareSection></VirtualSystem>
 </Envelope>""".encode()


def with_file(href: str, *, attributes: str = "") -> bytes:
    """Return a descriptor of a machine with one disk, which is in a file."""
    return smallest(
        files=f'<File ovf:id="f" ovf:href="{href}" {attributes}/>',
        disks='<Disk ovf:diskId="d" ovf:fileRef="f" ovf:capacity="4096"/>',
        items="<Item><rasd:InstanceID>1</rasd:InstanceID><rasd:ResourceType>17</rasd:ResourceType>"
        "<rasd:HostResource>/disk/d</rasd:HostResource></Item>",
    )


def archive(files: dict[str, bytes], *, form: int = tarfile.USTAR_FORMAT) -> bytes:
    """Return a tar archive, as another program writes it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
